// pure
import { isList, isObject } from "./crd.ts";
import type { ObjectSchema, Schema } from "./schema.ts";
import type { Path } from "./stored.ts";
import { didYouMean, suggest } from "./suggest.ts";

/** More places than this help nobody. */
const maxPlaces = 3;

/**
 * What to do about a field that is not known where it stands: the name that was probably meant, else the place where
 * there is a field of that name, else what is known here. `path` is from the root of the object.
 */
export function unknownFieldRemedy(field: {
  readonly spec: ObjectSchema;
  readonly path: Path;
  readonly known: readonly string[];
}): string {
  const { spec, path, known } = field;
  const name = String(path.at(-1));
  if (suggest(name, known) !== undefined) return didYouMean(name, known);
  const hasTarget = Object.hasOwn(spec.properties, "projectId");
  const pasted = hasTarget && isOfTarget(path) && Object.hasOwn(ofNorthflank, name) ? ofNorthflank[name] : undefined;
  if (pasted !== undefined) return `leave it out: ${pasted}`;
  // Every reference has a name: in none of them is a name that stands somewhere else missed.
  const places = hasTarget && name === "name" ? [] : placesOf(spec, name);
  if (places.length > 0 && places.length <= maxPlaces) return `it belongs in ${places.join(" or ")}`;
  const inSpec = path.length === 1 ? suggest(name, Object.keys(spec.properties)) : undefined;
  return inSpec === undefined ? didYouMean(name, known) : `did you mean spec.${inSpec}?`;
}

/** Properties of Northflank's own bodies that people paste and that are no settings here, with why. */
const ofNorthflank: Readonly<Record<string, string>> = {
  name: "the name is that of the target, and metadata.name is that of this object",
  deployment: "the source of a job is declared in a NorthflankDeployment with its jobId",
  vcsData: "the repository stays as it is set in Northflank",
  instances: "the number of instances stays as it is set in Northflank",
  infrastructure: "where it runs stays as it is set in Northflank",
};

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
