// pure

/** What a part of a path may name. Each has the pattern that the API documents, checked before it goes into a path. */
export type NameKind = "team" | "project" | "service" | "job" | "run" | "build" | "integration";

/** A letter, then letters or digits with single hyphens between. Linear: a hyphen and a letter never match the same. */
const idPattern = /^[a-zA-Z](?:-?[a-zA-Z0-9])*$/;

/** No pattern of team ids is documented: what is safe in a path is for the API to judge, as `spec.teamId` says too. */
const teamIdPattern = /^[a-zA-Z0-9](?:-?[a-zA-Z0-9])*$/;

/** Run ids come from the API (today: uuids); this is every character that is safe in a path. */
const runIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9_-]*$/;

/** Build ids come from the API too, but may be declared: `spec.deployment.internal.buildId` takes these characters. */
const buildIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9-]*$/;

/** Ids of notification integrations come from the API: every character that is safe in a path. */
const integrationIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9_-]*$/;

const rules: Readonly<Record<NameKind, { readonly pattern: RegExp; readonly min: number; readonly max: number }>> = {
  team: { pattern: teamIdPattern, min: 1, max: 100 },
  project: { pattern: idPattern, min: 3, max: 54 },
  service: { pattern: idPattern, min: 3, max: 54 },
  job: { pattern: idPattern, min: 3, max: 52 },
  run: { pattern: runIdPattern, min: 1, max: 128 },
  build: { pattern: buildIdPattern, min: 1, max: 128 },
  integration: { pattern: integrationIdPattern, min: 1, max: 128 },
};

/** Why `value` cannot be the id of such a thing, for people; `undefined` when it can. It never quotes the value. */
export function nameProblem(kind: NameKind, value: string): string | undefined {
  const { pattern, min, max } = rules[kind];
  if (value.length < min || value.length > max) {
    return `the ${kind} id must have ${min} to ${max} characters, it has ${value.length}`;
  }
  if (pattern.test(value)) return undefined;
  if (kind === "run" || kind === "integration")
    return `the ${kind} id may hold letters, digits, hyphens and underscores only`;
  if (kind === "build")
    return "the build id must begin with a letter or digit and hold letters, digits and hyphens only";
  if (kind === "team") return "the team id may hold letters, digits and single hyphens only";
  return `the ${kind} id must begin with a letter and hold letters, digits and single hyphens only`;
}
