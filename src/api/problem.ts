// pure
import type { ErrorObject } from "ajv";
import { isUnreplaced, unreplacedMessage, unreplacedSentence } from "../util/unreplaced.ts";
import type { TextSchema } from "./schema.ts";
import type { Path } from "./stored.ts";
import { didYouMean } from "./suggest.ts";
import { typeOf, type WrongType, wrongTypeMessage, wrongTypeRemedy } from "./wrong-type.ts";

/** One thing that is wrong with a manifest. */
export interface Problem {
  /** Where, from the root of the object. */
  readonly path: Path;
  /** The same as text: `spec.runtimeFilesFrom[0].path`. Empty for the object as a whole. */
  readonly field: string;
  /** What was broken: a schema keyword, the name of a rule, or `unknown-field`, `kind`, `api-version`. */
  readonly rule: string;
  /** What is wrong, without the field. Never a value of an environment variable or a file. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** A problem with its path written out. */
export function problem(facts: Omit<Problem, "field">): Problem {
  return { ...facts, field: formatPath(facts.path) };
}

/** In the order that is the same for the same problems: by field, then by rule. */
export function sorted(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted((left, right) => order(left.field, right.field) || order(left.rule, right.rule));
}

function order(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** `spec.runtimeEnvironment[A.B]`, `spec.waitFor[0].jobRunRef`: a path as the API server writes it. */
export function formatPath(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(part)) return `[${shown(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join("");
}

/** One line for conditions: `spec.jobId: is required (add it)`. */
export function formatProblem({ field, message, remedy }: Pick<Problem, "field" | "message" | "remedy">): string {
  const where = field === "" ? "" : `${field}: `;
  return remedy === "" ? `${where}${message}` : `${where}${message} (${remedy})`;
}

/** The errors of Ajv (compiled with `verbose`) in our words. `root` is where the judged value stands. */
export function problemsOf(errors: readonly ErrorObject[], root: Path): readonly Problem[] {
  const said = new Set(
    errors.map((error) => `${isLeftUnreplaced(error) ? "unreplaced" : error.keyword} ${error.instancePath}`),
  );
  return errors.filter((error) => !isSaidElsewhere(error, said)).map((error) => problemOf(error, root));
}

/**
 * `propertyNames` sums up the errors of the names; the format of a number only repeats its type and its bounds, and a
 * value of the wrong type is none of the words that are expected.
 */
function isSaidElsewhere({ keyword, instancePath }: ErrorObject, said: ReadonlySet<string>): boolean {
  if (keyword === "propertyNames") return true;
  // The length of a text that is still a template says nothing.
  if (keyword === "minLength" || keyword === "maxLength") return said.has(`unreplaced ${instancePath}`);
  if (keyword !== "format" && keyword !== "enum") return false;
  const stronger = ["type", ...(keyword === "format" ? ["minimum", "maximum"] : [])];
  return stronger.some((other) => said.has(`${other} ${instancePath}`));
}

function problemOf(error: ErrorObject, root: Path): Problem {
  const at = [...root, ...pointerPath(error.instancePath)];
  const path = at.concat(subPath(error));
  return problem({ path, rule: error.keyword, message: messageOf(error), remedy: remedyOf(error) });
}

function subPath({ keyword, params, propertyName }: ErrorObject): Path {
  if (propertyName !== undefined) return [propertyName];
  return keyword === "required" ? [String(params.missingProperty)] : [];
}

/** The parts of a JSON pointer. Whole numbers are indexes: no schema of ours has such names in its objects. */
function pointerPath(pointer: string): Path {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^(0|[1-9][0-9]*)$/.test(part) ? Number(part) : part));
}

function messageOf(error: ErrorObject): string {
  const { keyword, params, propertyName, data } = error;
  const limit = String(params.limit);
  const subject = propertyName === undefined ? "" : "the key ";
  switch (keyword) {
    case "required":
      return "is required";
    case "type":
      return wrongTypeMessage(wrongTypeOf(error));
    case "enum":
      return `${quoted(data)} is not one of ${listed(params.allowedValues)}`;
    case "minLength":
      return Number(limit) === 1 ? `${subject}must not be empty` : `${subject}must have at least ${limit} characters`;
    case "maxLength":
      return `${subject}must have at most ${limit} characters`;
    case "minItems":
      return `must have at least ${limit} entries`;
    case "maxItems":
    case "maxProperties":
      return `must have at most ${limit} entries`;
    case "minimum":
      return `must be at least ${limit}`;
    case "maximum":
      return `must be at most ${limit}`;
    case "pattern":
      return isLeftUnreplaced(error)
        ? `${subject}${unreplacedIn(error)}`
        : `${subject}${explained(error) ?? "has the wrong form"}`;
    case "format":
      return `is not a valid ${String(params.format)}`;
    default:
      return `breaks ${keyword}`;
  }
}

function remedyOf(error: ErrorObject): string {
  const { keyword, params, parentSchema, data, propertyName } = error;
  const limit = String(params.limit);
  switch (keyword) {
    case "required":
      return "add it";
    case "type":
      return wrongTypeRemedy(wrongTypeOf(error)) ?? firstSentence(parentSchema?.description);
    case "enum":
      return enumRemedy(typeof data === "string" ? data : "", params.allowedValues);
    case "pattern":
      if (isLeftUnreplaced(error) || explained(error) !== undefined) return "";
      return propertyName === undefined ? firstSentence(parentSchema?.description) : `must match ${params.pattern}`;
    case "minLength":
      return firstSentence(parentSchema?.description);
    case "maxLength":
      return `shorten it by ${count(data) - params.limit}`;
    case "minItems":
      return "add some";
    case "maxItems":
    case "maxProperties":
      return `remove ${Object.keys(data as object).length - params.limit}`;
    case "minimum":
      return `use ${limit} or more`;
    case "maximum":
      return `use ${limit} or less`;
    case "format":
      return params.format === "date-time" ? "write it like 2026-01-31T12:00:00Z" : "use a smaller number";
    default:
      return "";
  }
}

/** Characters as the API server counts them. */
function count(text: unknown): number {
  return [...String(text)].length;
}

/** A text that breaks its pattern because nothing replaced `${TAG}` in it. Only where the pattern allows no such thing. */
function isLeftUnreplaced({ keyword, params, data, propertyName }: ErrorObject): boolean {
  if (keyword !== "pattern") return false;
  const text = propertyName ?? data;
  return typeof text === "string" && isUnreplaced(text) && !new RegExp(String(params.pattern), "u").test("$");
}

// Values of variables and contents of files: nothing of them is repeated. Of a variable, its name may be.
const contents =
  /\/(runtimeEnvironment|buildArguments)\/[^/]+$|\/(runtimeFiles|buildFiles|dockerSecretMounts)\/[^/]+\//;

function unreplacedIn({ instancePath, propertyName, data }: ErrorObject): string {
  if (propertyName === undefined && contents.test(instancePath)) return unreplacedSentence;
  return unreplacedMessage(String(propertyName ?? data));
}

/** What the schema itself has to say of a text that breaks its pattern. */
function explained({ parentSchema, data }: ErrorObject): string | undefined {
  const explain = (parentSchema as Partial<TextSchema> | undefined)?.explain;
  return explain !== undefined && typeof data === "string" ? explain(data) : undefined;
}

/** What is known of a value of the wrong type. */
function wrongTypeOf({ params, data, instancePath, parentSchema }: ErrorObject): WrongType {
  const description = String(parentSchema?.description ?? "");
  return { wanted: String(params.type), data, name: String(pointerPath(instancePath).at(-1) ?? ""), description };
}

function enumRemedy(value: string, allowed: unknown): string {
  const names = Array.isArray(allowed) ? allowed.map(String) : [];
  const answer = didYouMean(value, names);
  return answer.startsWith("did you mean") ? answer : `use one of ${names.join(", ")}`;
}

function firstSentence(description: unknown): string {
  const text = typeof description === "string" ? description : "";
  const end = text.search(/[.:]( |$)/);
  return text === "" ? "" : `expected: ${end < 0 ? text : text.slice(0, end)}`;
}

function listed(values: unknown): string {
  return Array.isArray(values) ? values.map((value) => JSON.stringify(value)).join(", ") : "";
}

/** A value for a message: JSON, cut, so that control characters and long texts do no harm. Only for enums and kinds. */
export function quoted(value: unknown): string {
  if (value === undefined) return "nothing";
  return typeof value === "string" ? JSON.stringify(shown(value)) : typeOf(value);
}

function shown(raw: string): string {
  const text = raw.replaceAll(/\p{Cc}/gu, "?");
  return text.length <= 64 ? text : `${text.slice(0, 63)}…`;
}
