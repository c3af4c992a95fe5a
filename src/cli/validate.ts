import { findKind } from "../api/kinds.ts";
import { group } from "../api/names.ts";
import { sizeNotes } from "../api/object-size.ts";
import { formatPath, type Problem, problem } from "../api/problem.ts";
import type { Path } from "../api/stored.ts";
import { createValidator, type Validator } from "../api/validate.ts";
import { describe, type Flag, flag, formatConfigProblem, oneOf, readSettings, switchFlag } from "../flags.ts";
import { printable } from "../util/printable.ts";
import { isRecord } from "../util/records.ts";
import type { ExitCode, Io } from "./io.ts";
import { findManifestFiles, type ManifestFile } from "./manifest-files.ts";
import { type ManifestDocument, type Position, readManifests } from "./manifest-reader.ts";
import { type Finding, formatReport, nothingOfOurs, type OutputFormat, outputFormats } from "./manifest-report.ts";
import { plainLine } from "./printable.ts";

const flags = {
  output: {
    ...flag("output", "F", "text", oneOf(...outputFormats), `output format: ${outputFormats.join("|")}`),
    short: "o",
  },
  allowEmpty: switchFlag("allow-empty", "exit with 0 if the input has no manifest of this operator"),
} as const;

/** The flags of `validate`, for its help and the reference. */
export const flagsOfValidate: readonly Flag<unknown>[] = Object.values(flags);

const usage = () => `usage: northflank-operator validate FILES|DIRS|- [FLAGS]

Checks manifests offline, as "kubectl apply --validate=strict" and the API server would: YAML or JSON, several documents
in a file, lists. "-" is standard input. Documents of other API groups are skipped.

${describe(flagsOfValidate)}

exit codes: 0 all manifests are valid, 1 a manifest is not valid, 2 wrong usage, a file that cannot be read, or no manifest of this operator
`;

/** `northflank-operator validate`: judges the manifests of files, folders and standard input. */
export async function runValidate(
  args: readonly string[],
  io: Io,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<ExitCode> {
  const settings = readSettings({ command: "validate", flags: flagsOfValidate, args, env, takesFiles: true });
  if (settings.kind === "help") {
    io.out(usage());
    return 0;
  }
  const { of, positionals: paths } = settings;
  const missing = { name: "FILES", value: undefined, expectation: "a file, a directory or - is expected" };
  const problems = [...settings.problems, ...(paths.length === 0 ? [missing] : [])];
  if (problems.length > 0) {
    io.err("northflank-operator validate: the arguments are not valid\n");
    for (const problem of problems) io.err(`  ${plainLine(formatConfigProblem(problem))}\n`);
    io.err(`\n${usage()}`);
    return 2;
  }
  return await check({ paths, output: of(flags.output), allowEmpty: of(flags.allowEmpty) }, io);
}

interface CheckOptions {
  readonly paths: readonly string[];
  readonly output: OutputFormat;
  readonly allowEmpty: boolean;
}

async function check({ paths, output, allowEmpty }: CheckOptions, io: Io): Promise<ExitCode> {
  const found = await findManifestFiles(paths, io);
  if (found.kind === "problems") {
    for (const problem of found.problems) io.err(`northflank-operator validate: ${plainLine(problem)}\n`);
    return 2;
  }
  const validator = createValidator();
  // Only the results are kept: the texts of ten thousand documents need not stay in memory.
  const readyStatesOf = (file: ManifestFile) =>
    judgeFile(file, validator).map(({ kind, findings, notes }) => ({ kind, findings, notes }));
  const judged = found.files.flatMap(readyStatesOf);
  const ours = judged.filter((each) => each.kind === "ours");
  const findings = ours.flatMap(({ findings }) => findings);
  const notes = ours.flatMap((each) => each.notes ?? []);
  const bad = ours.filter((each) => each.findings.length > 0).length;
  const summary = { checked: ours.length, bad, skipped: judged.length - ours.length };
  io.out(formatReport(output, findings, summary, notes));
  if (ours.length === 0 && !allowEmpty) {
    io.err(`northflank-operator validate: ${nothingOfOurs(paths)}\n`);
    return 2;
  }
  return bad === 0 ? 0 : 1;
}

/** One object of a file. `value` is missing where nothing could be read. */
export type Judged = {
  readonly kind: "ours" | "skipped";
  readonly value?: unknown;
  /** What is wrong with it; nothing is said of what is not ours. */
  readonly findings: readonly Finding[];
  /** Worth knowing, but no reason to reject the manifest. */
  readonly notes?: readonly Finding[];
  /** Where a path from the root of the object is written. */
  readonly locate: (path: Path) => Position;
};

/** Judges what is in a file, object by object, lists opened. */
export function judgeFile(file: ManifestFile, validator: Validator): readonly Judged[] {
  const { name, text } = file;
  // What cannot be read may be a template that was lying around, unless it was named or speaks of us.
  const isMeant = file.isNamed || text.includes(group);
  return readManifests(text).flatMap((document) =>
    judgeDocument({ name, isMeant, document, validator, problems: groupProblems(document.problems) }),
  );
}

interface Context {
  /** Of the file. */
  readonly name: string;
  /** The file is about objects of ours, also where it cannot be read. */
  readonly isMeant: boolean;
  readonly document: ManifestDocument;
  readonly validator: Validator;
  /** What the reader has to say, by {@link itemKey} of where it is. */
  readonly problems: ReadonlyMap<string, readonly ReadProblem[]>;
}

type ReadProblem = ManifestDocument["problems"][number];

/** Grouped once per document: a list may have as many problems as items. */
function groupProblems(problems: readonly ReadProblem[]): ReadonlyMap<string, readonly ReadProblem[]> {
  const groups = new Map<string, ReadProblem[]>();
  for (const each of problems) {
    for (const depth of itemDepths(each.path)) {
      const key = itemKey(each.path.slice(0, depth));
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [each]);
      else group.push(each);
    }
  }
  return groups;
}

/** The lengths of those beginnings of a path that may lead to an object: the document, and items of (nested) lists. */
function itemDepths(path: Path): readonly number[] {
  const depths = [0];
  for (let depth = 2; depth <= path.length && path[depth - 2] === "items"; depth += 2) depths.push(depth);
  return depths;
}

function itemKey(root: Path): string {
  return JSON.stringify(root);
}

function judgeDocument(context: Context): readonly Judged[] {
  const { isMeant, document } = context;
  const { locate } = document;
  const stray = strayProblem(document.value);
  if (stray !== undefined) {
    return [
      { kind: "ours", value: document.value, findings: [findingOf(context, {}, { ...stray, root: [] })], locate },
    ];
  }
  if (document.value !== undefined) return judgeObject(context, document.value, []);
  if (!isMeant) return [{ kind: "skipped", findings: [], locate }];
  return [{ kind: "ours", findings: findingsOf(context, {}, []), locate }];
}

/** A document that speaks of our objects and is none: kubectl refuses it, and the whole file with it. */
function strayProblem(value: unknown): Problem | undefined {
  if (typeof value === "string" && value.includes(group)) {
    const remedy = "write comments with #; JSON does not allow them";
    return problem({ path: [], rule: "type", message: "is a string and not an object", remedy });
  }
  if (!Array.isArray(value) || !value.some((item) => isOurs(item) || isList(item))) return undefined;
  const message = "is a list of objects, which kubectl does not accept";
  const remedy = "separate them with ---, or write them as items of an object with apiVersion: v1 and kind: List";
  return problem({ path: [], rule: "type", message, remedy });
}

function judgeObject(context: Context, value: unknown, root: Path): readonly Judged[] {
  if (isList(value)) {
    const judged = value.items.flatMap((item, index) => judgeObject(context, item, [...root, "items", index]));
    return root.length === 0 ? [...judged, ...judgeList(context, value, judged)] : judged;
  }
  const locate = (path: Path) => context.document.locate([...root, ...path]);
  if (!isOurs(value)) return [{ kind: "skipped", value, findings: [], locate }];
  const notes = sizeNotes(value).map((note) => findingOf(context, value, { ...note, path: root, root }));
  return [{ kind: "ours", value, findings: findingsOf(context, value, root), notes, locate }];
}

/** A list is opened and its items are judged, as kubectl does, whatever the list calls itself. */
function isList(value: unknown): value is { readonly items: readonly unknown[] } {
  return isRecord(value) && typeof value.kind === "string" && value.kind.endsWith("List") && Array.isArray(value.items);
}

/** What is wrong with the list itself and not with one of its items, where it has items of ours. */
function judgeList(context: Context, list: object, judged: readonly Judged[]): readonly Judged[] {
  const read: readonly (ReadProblem | Problem)[] = context.document.problems;
  const own = [...read.filter(({ path }) => path[0] !== "items" || path.length < 2), ...headOfList(list)];
  if (own.length === 0 || judged.every(({ kind }) => kind === "skipped")) return [];
  const findings = own.map((problem) => findingOf(context, {}, { ...problem, root: [] }));
  return [{ kind: "ours", findings, locate: context.document.locate }];
}

function headOfList(list: { readonly apiVersion?: unknown }): readonly Problem[] {
  if (typeof list.apiVersion === "string" && list.apiVersion !== "") return [];
  return [problem({ path: ["apiVersion"], rule: "required", message: "is required", remedy: "add apiVersion: v1" })];
}

/** Everything of our group, whatever its kind or version, and our kinds, whatever group they claim. */
function isOurs(value: unknown): value is Readonly<Record<string, unknown>> {
  if (!isRecord(value)) return false;
  const isOurGroup = typeof value.apiVersion === "string" && value.apiVersion.split("/")[0] === group;
  return isOurGroup || (typeof value.kind === "string" && findKind(value.kind) !== undefined);
}

/** What the reader and the validator have to say about the object at `root` of the document. */
function findingsOf(context: Context, object: Readonly<Record<string, unknown>>, root: Path): readonly Finding[] {
  const { document, validator } = context;
  const read = firstOf(context.problems.get(itemKey(root)) ?? [], root);
  const judged = document.value === undefined ? [] : firstOf(validator.validateManifest(object));
  return [
    ...read.map((problem) => findingOf(context, object, { ...problem, root })),
    ...judged.map((problem) => findingOf(context, object, { ...problem, path: [...root, ...problem.path], root })),
  ].toSorted((left, right) => left.line - right.line || left.column - right.column);
}

/**
 * More problems of one object than this are of no use, and ten thousand wrong entries would make a report of megabytes.
 */
const mostProblems = 100;

function firstOf<T>(problems: readonly T[], root: Path = []): readonly (T | Problem)[] {
  const rest = problems.length - mostProblems;
  if (rest <= 0) return problems;
  const message = `has ${rest} more problems`;
  return [
    ...problems.slice(0, mostProblems),
    problem({ path: root, rule: "more", message, remedy: "fix these first" }),
  ];
}

interface Found {
  /** From the root of the document; `root` is where the object begins. */
  readonly path: Path;
  readonly root: Path;
  readonly rule: string;
  readonly message: string;
  readonly remedy: string;
  /** Where it is, if that is known better than by the path. */
  readonly position?: Position;
}

function findingOf(
  { name: file, document }: Context,
  object: Readonly<Record<string, unknown>>,
  found: Found,
): Finding {
  const { path, root, rule, message, remedy, position = document.locate(path) } = found;
  const { kind, metadata } = object;
  const name = isRecord(metadata) ? (metadata.name ?? metadata.generateName) : undefined;
  return {
    file,
    ...position,
    kind: nameOf(kind),
    name: nameOf(name),
    field: formatPath(path.slice(root.length)),
    rule,
    message,
    remedy,
  };
}

function nameOf(value: unknown): string {
  return typeof value === "string" ? printable(value.slice(0, 253)) : "";
}
