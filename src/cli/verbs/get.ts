import { kinds } from "../../api/kinds.ts";
import { flag, oneOf, switchFlag } from "../../flags.ts";
import { toYaml } from "../imported-text.ts";
import type { ExitCode } from "../io.ts";
import { plainJson } from "../printable.ts";
import type { ReadObject } from "./fields.ts";
import { columnsOf, namespaceColumn } from "./get-columns.ts";
import type { Selection } from "./objects.ts";
import { Wrong } from "./refused.ts";
import { readSelectionArguments } from "./selection.ts";
import { type FoundObject, noneText, readSelection, type Session } from "./session.ts";
import { formatTable } from "./table.ts";
import type { Verb } from "./verb.ts";
import { givenNamespace, placeFlags, selectionFlags } from "./verb-flags.ts";

const formats = ["table", "wide", "json", "yaml", "name"] as const;
type Format = (typeof formats)[number];

const own = {
  output: {
    ...flag("output", "F", "table", oneOf(...formats), `output format: ${formats.join("|")}`),
    short: "o",
  },
  allNamespaces: { ...switchFlag("all-namespaces", "objects of all namespaces"), short: "A" },
  ...selectionFlags,
  ...placeFlags,
} as const;

interface Input {
  readonly selection: Selection;
  readonly format: Format;
}

/** `northflank-operator get`: prints objects, one table per kind. */
export const getVerb: Verb<Input> = {
  name: "get",
  summary: "show objects: target, image, rollout, next check, quota",
  help: `usage: northflank-operator get [KIND[,KIND] [NAME...] | KIND/NAME...] [FLAGS]

Prints objects of this operator, one table per kind; without a kind all of them. Kinds are deploy, run, job and connection,
or their names and short names in kubectl. It reads the cluster, and sends nothing to Northflank.`,
  exits: "0 done, 1 an object does not exist or cannot be read",
  flags: { own, secret: [] },
  read: async (settings, deps) => {
    const isEveryNamespace = settings.of(own.allNamespaces) ?? false;
    if (isEveryNamespace && givenNamespace(settings) !== undefined) {
      return new Wrong("--namespace and --all-namespaces cannot be used together");
    }
    const rules = { kinds, isAllByDefault: true, isEveryNamespace };
    const selection = await readSelectionArguments(settings, rules, deps);
    return selection instanceof Wrong ? selection : { selection, format: settings.of(own.output) };
  },
  run: async ({ selection, format }, session): Promise<ExitCode> => {
    const found = await readSelection(session, selection);
    if (found.length === 0 && (format === "table" || format === "wide")) {
      const isEverywhere = selection.kind === "kinds" && selection.isEveryNamespace;
      session.complain(isEverywhere ? "no objects found" : noneText(session));
      return 0;
    }
    session.io.out(formatObjects(found, { format, selection, session }));
    return 0;
  },
};

function formatObjects(
  found: readonly FoundObject[],
  { format, selection, session }: Input & { readonly session: Session },
): string {
  switch (format) {
    case "name":
      return found.map(({ kind, name }) => `${kind.type.plural}.${kind.type.group}/${name}\n`).join("");
    case "json":
      return `${plainJson(escapedJson(JSON.stringify(documentOf(found, selection), undefined, 2)))}\n`;
    case "yaml":
      return toYaml(documentOf(found, selection));
    case "table":
    case "wide":
      return formatTables(found, { isWide: format === "wide", session, hasNamespaces: hasNamespaces(found, session) });
  }
}

/** Whether the namespace of an object has to be shown. */
function hasNamespaces(found: readonly FoundObject[], session: Session): boolean {
  return found.some(({ namespace }) => namespace !== session.namespace);
}

/** One object by itself, several as a list, as kubectl prints them; without what only API servers read. */
function documentOf(found: readonly FoundObject[], selection: Selection): object {
  const items = found.map(({ object }) => withoutManagers(object));
  const [first] = items;
  if (selection.kind === "objects" && first !== undefined && items.length === 1) return first;
  return { apiVersion: "v1", kind: "List", metadata: { resourceVersion: "" }, items };
}

function withoutManagers({ metadata: { managedFields: _, ...metadata }, ...object }: ReadObject): object {
  return { ...object, metadata };
}

/** What could control a terminal, in the form that JSON has for it. */
function escapedJson(json: string): string {
  return json.replaceAll(/[\p{Cf}\u007f-\u009f\u2028\u2029]/gu, (sign) =>
    Array.from({ length: sign.length }, (_, unit) => `\\u${sign.charCodeAt(unit).toString(16).padStart(4, "0")}`).join(
      "",
    ),
  );
}

function formatTables(
  found: readonly FoundObject[],
  options: { readonly isWide: boolean; readonly session: Session; readonly hasNamespaces: boolean },
): string {
  const { session, isWide } = options;
  const now = session.clock.now();
  const tables = kinds.flatMap((kind) => {
    const objects = found.filter((each) => each.kind === kind);
    if (objects.length === 0) return [];
    const own = columnsOf(kind.type.kind).filter((column) => isWide || column.isWide !== true);
    const columns = options.hasNamespaces ? [namespaceColumn, ...own] : own;
    const rows = objects.map(({ object }) => columns.map(({ cell }) => cell(object, now)));
    const titles = columns.map(({ title }) => title);
    return [{ title: kind.type.kind, text: formatTable(titles, rows, session) }];
  });
  if (tables.length === 1) return tables.map(({ text }) => text).join("");
  return tables.map(({ title, text }) => `${title}\n${text}`).join("\n");
}
