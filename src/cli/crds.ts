import { stringify } from "yaml";
import { customResourceDefinition } from "../api/crd.ts";
import { type KindDefinition, kinds } from "../api/kinds.ts";
import { group } from "../api/names.ts";
import type { ExitCode, Io } from "./io.ts";

export interface CrdFile {
  /** Name of the file under `crds/`. */
  readonly name: string;
  readonly text: string;
}

/** The CustomResourceDefinitions as files, one per kind. The text is the same for the same schemas, byte by byte. */
export function crdFiles(): readonly CrdFile[] {
  return kinds.map((kind) => ({ name: `${group}_${kind.type.plural}.yaml`, text: crdText(kind) }));
}

const usage = `usage: northflank-operator crds

Prints the CustomResourceDefinitions of this version: northflank-operator crds | kubectl apply --server-side -f -
`;

/** `northflank-operator crds`: prints all CustomResourceDefinitions, ready for `kubectl apply --server-side -f -`. */
export function runCrds(args: readonly string[], io: Io): ExitCode {
  if (args.length === 1 && (args[0] === "--help" || args[0] === "-h")) {
    io.out(usage);
    return 0;
  }
  if (args.length > 0) {
    io.err(`northflank-operator crds: takes no arguments, got ${args.join(" ")}\n`);
    return 2;
  }
  for (const { text } of crdFiles()) io.out(`---\n${text}`);
  return 0;
}

function crdText(kind: KindDefinition): string {
  const body = stringify(customResourceDefinition(kind), { lineWidth: 0, aliasDuplicateObjects: false });
  return `# Generated from src/api by "npm run generate": change it there.\n${body}`;
}
