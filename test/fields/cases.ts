import { type CallName, calls, type DocumentedCall } from "./calls.ts";
import { type JsonSchema, type Property, propertiesOf } from "./json-schema.ts";
import { leftOut } from "./left-out.ts";
import { type Body, badBodies, goodBodies } from "./values.ts";

/** One generation of the page of one call. */
export interface DocumentedPage {
  /** `run job, page of 2024`. */
  readonly name: string;
  readonly call: DocumentedCall;
  readonly schema: JsonSchema;
}

export const pages: readonly DocumentedPage[] = calls.flatMap((call) =>
  Object.entries(call.schemas).map(([age, schema]) => ({ name: `${call.name}, page ${age}`, call, schema })),
);

/** A property that manifests have, with values that are good and shapes that are bad. */
export interface PropertyCase extends Property {
  readonly good: readonly Body[];
  readonly bad: readonly Body[];
}

/** Every property of a page that is not left out. */
export function propertyCases({ call, schema }: DocumentedPage): readonly PropertyCase[] {
  const given = leftOut.filter((one) => one.call === call.name).map(({ property }) => property);
  return propertiesOf(schema)
    .filter(({ name }) => !isLeftOut(call.name, name))
    .map((property) => ({
      ...property,
      good: goodBodies(schema, property),
      bad: badBodies(schema, property, given),
    }));
}

/** Whether a property, or one it is part of, is left out. */
export function isLeftOut(call: CallName, name: string): boolean {
  return leftOut.some((one) => one.call === call && isWithin(one.property, name));
}

/** True for the property itself and everything in it. */
export function isWithin(property: string, name: string): boolean {
  return name === property || name.startsWith(`${property}.`) || name.startsWith(`${property}[`);
}
