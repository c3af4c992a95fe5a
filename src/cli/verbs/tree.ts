import type { KindDefinition } from "../../api/kinds.ts";
import { kinds } from "../../api/kinds.ts";
import { northflankConnections, northflankDeployments, northflankJobRuns } from "../../api/names.ts";
import { defaultConnectionName } from "../../controllers/reconcile/predicates.ts";
import { textAt, valueAt } from "./fields.ts";
import type { NamedObject } from "./objects.ts";
import { kindNamed, parseObjects } from "./objects.ts";
import { Wrong } from "./refused.ts";
import { type FoundObject, findObject, listObjects, type ObjectPlace, readObject, type Session } from "./session.ts";
import { formatTree, stateText, type TreeNode } from "./tree-text.ts";
import type { Verb } from "./verb.ts";
import { placeFlags } from "./verb-flags.ts";

const own = { ...placeFlags } as const;
const connectionKind = kindNamed(northflankConnections.kind);
const runKind = kindNamed(northflankJobRuns.kind);
const deploymentKind = kindNamed(northflankDeployments.kind);

/** `northflank-operator tree`: what an object depends on, and what depends on it. */
export const treeVerb: Verb<readonly NamedObject[]> = {
  name: "tree",
  summary: "show what an object waits for and uses, and who uses it",
  help: `usage: northflank-operator tree KIND/NAME... [FLAGS]

Prints an object with the runs that it waits for (spec.waitFor) and its connection; a run also with the deployments that
wait for it, and a connection with the objects that use it.`,
  exits: "0 done, 1 an object does not exist or cannot be read",
  flags: { own, secret: [] },
  read: ({ positionals }) => {
    const asked = parseObjects(positionals, kinds);
    if (asked.kind === "problem") return new Wrong(asked.problem);
    return asked.kind === "objects" ? asked.objects : new Wrong("name the objects as KIND/NAME");
  },
  run: async (objects, session) => {
    for (const object of objects) {
      const found = await readObject(session, { ...object, namespace: session.namespace });
      session.io.out(formatTree(await treeOf(session, found), session));
    }
    return 0;
  },
};

async function treeOf(session: Session, found: FoundObject): Promise<TreeNode> {
  const now = session.clock.now();
  if (found.kind === connectionKind) {
    const users = await Promise.all(
      kinds.filter((kind) => kind !== connectionKind).map((kind) => listObjects(session, kind, found)),
    );
    const children = users.flat().filter(({ object }) => connectionOf(object) === found.name);
    return { ...nodeOf("", found, now), children: children.map((user) => nodeOf("used by", user, now)) };
  }
  const waits = await Promise.all(
    waitsFor(found.object).map((name) => referenced(session, "waits for", { ...found, kind: runKind, name })),
  );
  const waiting = found.kind === runKind ? await listObjects(session, deploymentKind, found) : [];
  const gated = waiting.filter(({ object }) => waitsFor(object).includes(found.name));
  const connection = { ...found, kind: connectionKind, name: connectionOf(found.object) };
  return {
    ...nodeOf("", found, now),
    children: [
      ...waits,
      ...gated.map((deployment) => nodeOf("awaited by", deployment, now)),
      await referenced(session, "uses", connection),
    ],
  };
}

/** An object that another one names, which may not exist. */
async function referenced(session: Session, relation: string, place: ObjectPlace): Promise<TreeNode> {
  const found = await findObject(session, place);
  if (found !== undefined) return nodeOf(relation, found, session.clock.now());
  const isDefault = place.kind === connectionKind && place.name === defaultConnectionName;
  const text = isDefault
    ? "does not exist: the operator-wide token is used, if it serves the namespace"
    : "does not exist";
  return { relation, title: titleOf(place), state: { text, tone: isDefault ? undefined : "bad" }, children: [] };
}

function nodeOf(relation: string, found: FoundObject, now: number): TreeNode {
  return { relation, title: titleOf(found), state: stateText(found.object, now), children: [] };
}

function titleOf({ kind, name }: { readonly kind: KindDefinition; readonly name: string }): string {
  return `${kind.type.kind}/${name}`;
}

function connectionOf(object: unknown): string {
  return textAt(object, "spec", "connectionRef", "name") ?? defaultConnectionName;
}

/** The names of the runs that an object waits for. */
function waitsFor(object: unknown): readonly string[] {
  const dependencies = valueAt(object, "spec", "waitFor");
  if (!Array.isArray(dependencies)) return [];
  const names = dependencies.map((each: unknown) => textAt(each, "jobRunRef", "name"));
  return [...new Set(names.filter((name) => name !== undefined))];
}
