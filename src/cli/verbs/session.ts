import type { KindDefinition } from "../../api/kinds.ts";
import { cliFieldManager } from "../../api/names.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isKubeError } from "../../kube/errors.ts";
import { listAll } from "../../kube/list-all.ts";
import { mapConcurrently } from "../../util/map-concurrently.ts";
import { present } from "../../util/present.ts";
import { openCluster } from "../cluster.ts";
import type { Io } from "../io.ts";
import { plainLine } from "../printable.ts";
import { createProgress, type Progress } from "../progress.ts";
import type { ToolDeps } from "../remote.ts";
import type { ReadObject } from "./fields.ts";
import type { Selection } from "./objects.ts";
import { Refused } from "./refused.ts";
import { placeFlags, type VerbSettings } from "./verb-flags.ts";

/** What a verb works with. */
export interface Session extends AsyncDisposable, Pick<ToolDeps, "clock" | "random"> {
  /** Writes as the field manager `northflank-operator-cli`. */
  readonly client: KubeClient;
  /** The namespace of the flag, else that of the kubeconfig context. */
  readonly namespace: string;
  readonly io: Io;
  readonly progress: Progress;
  readonly isColored: boolean;
  /** Prints a line on standard output. It may hold anything. */
  readonly say: (line: string) => void;
  /** Prints a line on standard error, with the name of the verb. It may hold anything. */
  readonly complain: (line: string) => void;
}

/** Opens the way to the cluster; nothing is sent yet. */
export async function openSession(verb: string, settings: VerbSettings, deps: ToolDeps): Promise<Session> {
  const { io, env, clock, random } = deps;
  const place = { kubeconfig: settings.of(placeFlags.kubeconfig), context: settings.of(placeFlags.context) };
  // Flux takes over the fields of managers that begin with "kubectl", and removes those that Git does not have: a
  // `kubectl patch` of spec.suspend is undone at the next reconcile. Fields of any other manager stay, as long as Git does
  // not set them. Argo CD ignores fields that Git does not set, whoever wrote them.
  const cluster = await openCluster(place, deps, { verb, fieldManager: cliFieldManager });
  const progress = createProgress(io);
  const print = (write: (text: string) => void, line: string) => {
    progress.clear();
    write(`${plainLine(line)}\n`);
  };
  return {
    client: cluster.client,
    clock,
    random,
    io,
    progress,
    namespace: settings.of(placeFlags.namespace) ?? cluster.namespace,
    isColored: io.isTerminal && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb",
    say: (line) => print(io.out, line),
    complain: (line) => print(io.err, `northflank-operator ${verb}: ${line}`),
    [Symbol.asyncDispose]: async () => {
      progress.clear();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

/** Where an object is. */
export interface ObjectPlace {
  readonly kind: KindDefinition;
  readonly namespace: string;
  readonly name: string;
}

/** An object, with what it is. */
export interface FoundObject extends ObjectPlace {
  readonly object: ReadObject;
}

// As many as a person may name; the server sees a few at a time.
const readsAtOnce = 8;

/**
 * The objects that were asked for, in the order of the arguments, then of their kinds and names.
 *
 * *Errors*: `Refused` for one that does not exist; `KubeError`.
 */
export async function readSelection(session: Session, selection: Selection): Promise<readonly FoundObject[]> {
  if (selection.kind === "objects") {
    return mapConcurrently(selection.objects, readsAtOnce, ({ namespace = session.namespace, ...object }) =>
      readObject(session, { ...object, namespace }),
    );
  }
  const namespace = selection.isEveryNamespace ? undefined : session.namespace;
  const lists = await mapConcurrently(selection.kinds, readsAtOnce, (kind) =>
    listObjects(session, kind, { namespace, selector: selection.selector }),
  );
  return lists.flat();
}

/** The same where at least one is expected: `Refused` for none. */
export async function readSome(session: Session, selection: Selection): Promise<readonly FoundObject[]> {
  const found = await readSelection(session, selection);
  if (found.length === 0) throw new Refused(noneText(session));
  return found;
}

/** `no objects found in the namespace "shop"` */
export function noneText({ namespace }: Pick<Session, "namespace">): string {
  return `no objects found in the namespace "${namespace}"`;
}

/** Reads one object; `Refused` where it does not exist. */
export async function readObject(session: Session, place: ObjectPlace): Promise<FoundObject> {
  const object = await findObject(session, place);
  if (object === undefined) throw new Refused(missingText(place));
  return object;
}

/** Reads one object; `undefined` where it does not exist. */
export async function findObject({ client }: Session, place: ObjectPlace): Promise<FoundObject | undefined> {
  const { kind, namespace, name } = place;
  try {
    return { ...place, object: await client.get<ReadObject>(kind.type, { namespace, name }) };
  } catch (error) {
    // Where the kind does not exist, the server names no reason.
    if (isKubeError(error, "not_found") && error.reason === "NotFound") return undefined;
    throw error;
  }
}

/** `there is no NorthflankJob "etl" in the namespace "shop"` */
export function missingText({ kind, namespace, name }: ObjectPlace): string {
  return `there is no ${kind.type.kind} "${name}" in the namespace "${namespace}"`;
}

const mostPages = 2_000;

/** All objects of a kind, sorted by namespace and name. */
export async function listObjects(
  { client }: Session,
  kind: KindDefinition,
  where: { readonly namespace: string | undefined; readonly selector?: string | undefined },
): Promise<readonly FoundObject[]> {
  const options = present({ namespace: where.namespace, labelSelector: where.selector });
  const found = await listAll<ReadObject>(client, kind.type, { ...options, mostPages });
  const places = found.map((object) => {
    const { name, namespace = "" } = object.metadata;
    return { kind, namespace, name, object };
  });
  return places.sort((left, right) => (orderOf(left) < orderOf(right) ? -1 : 1));
}

function orderOf({ namespace, name }: FoundObject): string {
  return `${namespace}/${name}`;
}

/** `northflankjobrun/etl`, as kubectl names what it did something to. */
export function shownName({ kind, name }: Pick<ObjectPlace, "kind" | "name">): string {
  return `${kind.singular}/${name}`;
}
