import type { KindDefinition } from "../../api/kinds.ts";
import { createValidator } from "../../api/validate.ts";
import { findManifestFiles } from "../manifest-files.ts";
import { nothingOfOurs } from "../manifest-report.ts";
import type { ToolDeps } from "../remote.ts";
import { judgeFile } from "../validate.ts";
import { textAt } from "./fields.ts";
import { kindOfWord, type NamedObject, parseObjects, type Selection } from "./objects.ts";
import { Wrong } from "./refused.ts";
import { givenNamespace, selectionFlags, type VerbSettings } from "./verb-flags.ts";

/** What a verb takes. */
export interface SelectionRules {
  readonly kinds: readonly KindDefinition[];
  /** True: without names, -l, -f or --all, every object of the kinds is meant. */
  readonly isAllByDefault?: boolean;
  readonly isEveryNamespace?: boolean;
}

/** Reads which objects the arguments, -l, -f and --all ask for. Files are read, the cluster is not. */
export async function readSelectionArguments(
  settings: VerbSettings,
  rules: SelectionRules,
  { io }: Pick<ToolDeps, "io">,
): Promise<Selection | Wrong> {
  const selector: string | undefined = settings.of(selectionFlags.selector);
  const files: readonly string[] | undefined = settings.of(selectionFlags.filename);
  const isAll = settings.of(selectionFlags.all) ?? false;
  const isEveryNamespace = rules.isEveryNamespace ?? false;
  if (files !== undefined) {
    if (settings.positionals.length > 0 || selector !== undefined || isAll || isEveryNamespace) {
      return new Wrong(
        "--filename names the objects, and cannot be used with names, --selector, --all or --all-namespaces",
      );
    }
    return readFiles(files, givenNamespace(settings), rules, io);
  }
  const asked = parseObjects(settings.positionals, rules.kinds);
  if (asked.kind === "problem") return new Wrong(asked.problem);
  if (asked.kind === "objects") {
    if (selector !== undefined || isAll) return new Wrong("names cannot be used with --selector or --all");
    if (isEveryNamespace) return new Wrong("names cannot be used with --all-namespaces");
    return asked;
  }
  if (selector !== undefined && isAll) return new Wrong("--selector and --all cannot be used together");
  if (selector === undefined && !isAll && rules.isAllByDefault !== true) {
    return new Wrong("name the objects as KIND/NAME, or use --selector, --filename or --all");
  }
  return { ...asked, isEveryNamespace, ...(selector === undefined ? {} : { selector }) };
}

async function readFiles(
  paths: readonly string[],
  namespace: string | undefined,
  rules: SelectionRules,
  io: ToolDeps["io"],
): Promise<Selection | Wrong> {
  const found = await findManifestFiles(paths, io);
  if (found.kind === "problems") return new Wrong(...found.problems);
  const validator = createValidator();
  const judged = found.files.flatMap((file) =>
    judgeFile(file, validator).flatMap((each) =>
      each.kind === "ours" ? [{ file: file.name, value: each.value }] : [],
    ),
  );
  if (judged.length === 0) return new Wrong(nothingOfOurs(paths).replace(/;.*$/, ""));
  const read = judged.map(({ file, value }) => placeOf(file, value, { namespace, rules }));
  const problems = read.flatMap((each) => (typeof each === "string" ? [each] : []));
  if (problems.length > 0) return new Wrong(...problems);
  return { kind: "objects", objects: read.flatMap((each) => (typeof each === "string" ? [] : [each])) };
}

type Placed = NamedObject & { readonly namespace?: string };

/** The object that a manifest is about, or what is wrong with it. */
function placeOf(
  file: string,
  value: unknown,
  { namespace, rules }: { readonly namespace: string | undefined; readonly rules: SelectionRules },
): Placed | string {
  const kind = kindOfWord(textAt(value, "kind") ?? "");
  if (kind === undefined) return `${file}: a manifest cannot be read; northflank-operator validate says why`;
  if (!rules.kinds.includes(kind)) return `${file}: ${kind.type.kind} cannot be used here`;
  const name = textAt(value, "metadata", "name");
  if (name === undefined) return `${file}: a ${kind.type.kind} has no metadata.name`;
  const own = textAt(value, "metadata", "namespace");
  if (own !== undefined && namespace !== undefined && own !== namespace) {
    return `${file}: ${kind.type.kind} "${name}" is in the namespace "${own}", and --namespace names "${namespace}"`;
  }
  return { kind, name, ...(own === undefined ? {} : { namespace: own }) };
}
