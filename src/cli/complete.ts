import { isKubeError } from "../kube/errors.ts";
import { contextNames } from "../kube/kubeconfig.ts";
import { type KubeObject, namespaces, type ResourceType } from "../kube/types.ts";
import { present } from "../util/present.ts";
import { printable } from "../util/printable.ts";
import { openCluster } from "./cluster.ts";
import type { CommandDescription } from "./command.ts";
import { type Candidate, decideCompletion, type Wanted } from "./completion.ts";
import type { ExitCode } from "./io.ts";
import type { ToolDeps } from "./remote.ts";

// Cobra's directives: files may follow, or nothing but the candidates.
const filesToo = 0;
const noFiles = 4;

// A user has pressed a key and waits.
const timeoutMs = 2_000;
// More names than these fit on no screen.
const mostNames = 500;

/**
 * `northflank-operator __complete WORDS...`: prints what may stand at the cursor, in cobra's protocol. That is what the
 * completion scripts read, and kubectl, which runs `kubectl_complete-northflank WORDS...`.
 *
 * Names are read from the cluster within 2 s. A cluster that does not answer, or does not allow it, has no names: an error
 * here would be printed into the line that is being typed.
 */
export async function runComplete(
  words: readonly string[],
  commands: readonly CommandDescription[],
  deps: Pick<ToolDeps, "env" | "io" | "clock">,
): Promise<ExitCode> {
  const wanted = decideCompletion(words, commands, deps.env);
  const current = words.at(-1) ?? "";
  const candidates = (await candidatesOf(wanted, deps)).filter(({ value }) => value.startsWith(current));
  // A name with a blank or a control character cannot be typed like this.
  const typable = candidates.filter(({ value }) => value === printable(value) && !/\s/.test(value));
  for (const candidate of typable) deps.io.out(`${lineOf(candidate)}\n`);
  deps.io.out(`:${wanted.kind === "files" ? filesToo : noFiles}\n`);
  return 0;
}

function lineOf({ value, description }: Candidate): string {
  return description === undefined ? value : `${value}\t${description}`;
}

async function candidatesOf(wanted: Wanted, deps: Pick<ToolDeps, "env" | "clock">): Promise<readonly Candidate[]> {
  if (wanted.kind === "words") return wanted.words;
  if (wanted.kind === "files") return [];
  const names = await readNames(wanted, deps);
  return names.map((name) => ({ value: `${wanted.prefix}${name}` }));
}

type Named = Exclude<Wanted, { readonly kind: "words" | "files" }>;

async function readNames(wanted: Named, deps: Pick<ToolDeps, "env" | "clock">): Promise<readonly string[]> {
  try {
    switch (wanted.kind) {
      case "contexts":
        return contextNames(present({ path: wanted.kubeconfig }));
      case "namespaces":
        return await listNames(namespaces, wanted, deps);
      case "objects":
        return await listNames(wanted.of.type, wanted, deps);
    }
  } catch (error) {
    if (isKubeError(error) || error instanceof TooSlow) return [];
    throw error;
  }
}

class TooSlow extends Error {}

async function listNames(
  type: ResourceType,
  wanted: Named,
  deps: Pick<ToolDeps, "env" | "clock">,
): Promise<readonly string[]> {
  const tooSlow = new AbortController();
  const timer = deps.clock.setTimer(
    () => tooSlow.abort(new TooSlow("the cluster is too slow to complete names")),
    timeoutMs,
  );
  try {
    await using cluster = await openCluster(wanted, deps, { verb: "completion" });
    const namespace = wanted.namespace ?? cluster.namespace;
    const options = { limit: mostNames, ...(type.namespaced ? { namespace } : {}) };
    const { items } = await cluster.client.list<KubeObject>(type, options, tooSlow.signal);
    return items.map(({ metadata }) => metadata.name);
  } finally {
    timer.cancel();
  }
}
