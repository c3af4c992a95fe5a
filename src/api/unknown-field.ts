// pure
import { isList, isObject } from "./crd.ts";
import { otherNames } from "./other-names.ts";
import type { ObjectSchema, Schema } from "./schema.ts";
import type { Path } from "./stored.ts";
import { didYouMean, suggest } from "./suggest.ts";

/** More places than this are of no use. */
const maxPlaces = 3;

/**
 * What to do about a field that is not known where it stands: the name that was probably meant or that it has here, else
 * the place where there is a field of that name, else what is known here. `path` is from the root of the object.
 */
export function unknownFieldRemedy(field: {
  readonly spec: ObjectSchema;
  readonly path: Path;
  readonly known: readonly string[];
}): string {
  const { spec, path, known } = field;
  const name = String(path.at(-1));
  const other = otherName(spec, path);
  if (other?.isHere === true) return `did you mean ${JSON.stringify(other.field)}?`;
  if (suggest(name, known) !== undefined) return didYouMean(name, known);
  const hasTarget = Object.hasOwn(spec.properties, "projectId");
  const pasted = hasTarget && isOfTarget(path) && Object.hasOwn(ofNorthflank, name) ? ofNorthflank[name] : undefined;
  if (pasted !== undefined) return `leave it out: ${pasted}`;
  // Every reference has a name: in none of them is a name that stands somewhere else missed.
  const places = hasTarget && name === "name" ? [] : placesOf(spec, name);
  if (places.length > 0 && places.length <= maxPlaces) return `it belongs in ${places.join(" or ")}`;
  if (places.length === 0 && other !== undefined) return `did you mean ${other.field}?`;
  const inSpec = path.length === 1 ? suggest(name, Object.keys(spec.properties)) : undefined;
  return inSpec === undefined ? didYouMean(name, known) : `did you mean spec.${inSpec}?`;
}

/** Properties of Northflank's own bodies that people paste and that are no settings here, with why. */
const ofNorthflank: Readonly<Record<string, string>> = {
  name: "the name is that of the target, and metadata.name is that of this object",
  deployment: "the source of a job is declared in a NorthflankDeployment with its jobId",
  vcsData: "the repository stays as it is set in Northflank",
  replicas: "the number of instances stays as it is set in Northflank",
  instances: "the number of instances stays as it is set in Northflank",
  infrastructure: "where it runs stays as it is set in Northflank",
};

/** The field that has another name here: beside the unknown one, else in the only place of the spec that has it. */
function otherName(spec: ObjectSchema, path: Path): { readonly field: string; readonly isHere: boolean } | undefined {
  const name = String(path.at(-1));
  if (path[0] === "metadata" || !Object.hasOwn(otherNames, name)) return undefined;
  const found = (otherNames[name] ?? []).map((field) => ({ field, places: placesOf(spec, field.split(".")[0] ?? "") }));
  const here = found.find(({ places }) => places.includes(placeOf(path)));
  if (here !== undefined) return { field: here.field, isHere: true };
  const there = found.find(({ places }) => places.length === 1);
  return there && { field: `${there.places[0]}.${there.field}`, isHere: false };
}

/** The object that holds the field, as {@link placesOf} writes it. */
function placeOf(path: Path): string {
  const parts = path.slice(0, -1).map((part) => (typeof part === "number" ? "[]" : `.${part}`));
  return parts.join("").slice(1);
}

/** Right in the spec, or in an object of it: where the body of a call is pasted. Not in metadata, nor in a reference. */
function isOfTarget(path: Path): boolean {
  return path[0] === "spec" && path.length <= 3 && path.every((part) => typeof part === "string" && !/Ref$/.test(part));
}

/** The objects nearest to the root of the spec that have a field of this name: `spec`, `spec.waitFor[].jobRunRef`. */
function placesOf(spec: ObjectSchema, name: string): readonly string[] {
  let level: readonly Place[] = [{ at: "spec", schema: spec }];
  while (level.length > 0) {
    const found = level.filter(({ schema }) => isObject(schema) && Object.hasOwn(schema.properties, name));
    if (found.length > 0) return found.map(({ at }) => at);
    level = level.flatMap(inside);
  }
  return [];
}

interface Place {
  readonly at: string;
  readonly schema: Schema;
}

function inside({ at, schema }: Place): readonly Place[] {
  if (isList(schema)) return inside({ at: `${at}[]`, schema: schema.items });
  if (!isObject(schema)) return [];
  return Object.entries(schema.properties).map(([name, inner]) =>
    isList(inner) ? { at: `${at}.${name}[]`, schema: inner.items } : { at: `${at}.${name}`, schema: inner },
  );
}
