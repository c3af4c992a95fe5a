import { kinds } from "../../src/api/kinds.ts";
import type { Reason } from "../../src/api/reasons.ts";
import { page } from "./markdown.ts";
import { alertRunbook } from "./texts/runbook/alerts.ts";
import type { Block, Remedy, RunbookEntry } from "./texts/runbook/entry.ts";
import { runbook, runbookSections } from "./texts/runbook.ts";

/** `docs/runbook.md`: one section for each reason and each alert. */
export function runbookPage(): string {
  return page(
    "# Runbook",
    "After this page you know what a reason or an alert means, what to check, what to do, and what happens if you do nothing.",
    `Find the reason: \`kubectl get ${kinds.map(({ shortName }) => shortName).join(",")} -A -o wide\`. Each reason is a section of this page, under its name in lower case: \`runbook.md#authenticationfailed\`. With \`--docs-url\`, the message of a Stalled object ends with the address of its section.`,
    "In commands, replace the words in capitals: `NAME` and `NAMESPACE` of the object, `CONNECTION`, `SECRET`. The namespace of the operator is `northflank-operator`; yours may differ. If a GitOps tool manages an object, change its fields in Git.",
    "The commands need nothing but kubectl. Where the command line is installed, `kubectl northflank reconcile`, `resolve`, `suspend`, `resume` and `abort` do the same as the annotations and patches here, and check what they are given: [verbs.md](verbs.md).",
    "If many objects fail alike, begin with their connection.",
    "## Alerts",
    ...Object.entries(alertRunbook).flatMap(([name, entry]) => [
      `### ${alertHeading(name)}`,
      `Alert \`${name}\`.`,
      ...remedyBlocks(entry),
    ]),
    ...runbookSections.flatMap(({ title, entries }) => [
      `## ${title}`,
      ...Object.keys(entries).flatMap((reason) => reasonBlocks(reason as Reason)),
    ]),
  );
}

/** The heading of an alert, whose anchor is its name in kebab case: `NorthflankRunFailed` becomes `Northflank run failed`. */
export function alertHeading(name: string): string {
  const words = name.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
  const sentence = words.join(" ");
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}`;
}

function reasonBlocks(reason: Reason): readonly string[] {
  const entry: RunbookEntry = runbook[reason];
  const heading = `### ${reason}`;
  if ("fine" in entry) return [heading, entry.fine];
  return [heading, ...remedyBlocks(entry)];
}

function remedyBlocks({ means, check, act, otherwise }: Remedy): readonly string[] {
  return [
    labeled("What it means", [means]),
    labeled("What to check", check),
    labeled("What to do", act),
    labeled("What happens if you do nothing", [otherwise]),
  ].flat();
}

/** The blocks, the first of them behind the label. */
function labeled(label: string, blocks: readonly Block[]): readonly string[] {
  const [first = "", ...rest] = blocks;
  const begun = typeof first === "string" ? [`**${label}:** ${first}`] : [`**${label}:**`, rendered(first)];
  return [...begun, ...rest.map(rendered)];
}

function rendered(block: Block): string {
  return typeof block === "string" ? block : `\`\`\`sh\n${block.join("\n")}\n\`\`\``;
}
