import type { KubeClient, ListOptions, WatchOptions } from "../../kube/client.ts";
import type { KubeObject, ResourceType } from "../../kube/types.ts";
import { Reflector } from "../../runtime/reflector.ts";
import type { Change } from "../../runtime/store.ts";
import type { Log } from "../../util/log.ts";
import type { ReadObject } from "./fields.ts";
import type { FoundObject, Session } from "./session.ts";

/** What is heard of the objects that are followed. */
export interface FollowSink {
  /** A state of the object, also its first one. */
  readonly seen: (object: ReadObject) => void;
  /** It does not exist any more; its last state. */
  readonly deleted: (last: ReadObject) => void;
  /** It cannot be followed, for a reason that only a person can change: one sentence. */
  readonly lost: (problem: string) => void;
}

// What the reflector logs are recoveries: the progress line shows where the objects stand.
const quiet: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => quiet,
};

// A restarted API server answers 404 and 403 for a moment, until its caches are filled.
const patienceMs = 60_000;
const checkMs = 1_000;

interface FollowedObject extends KubeObject, ReadObject {}

/**
 * Follows objects of one kind and namespace until `signal` is aborted, through the reflector of the operator: a watch that
 * ends, falls behind (410), goes silent or breaks is resumed or replaced by a list, for as long as it takes. Resolves when
 * nothing of it is left.
 */
export async function followObjects(
  session: Pick<Session, "client" | "clock" | "random">,
  targets: readonly FoundObject[],
  sink: FollowSink,
  signal: AbortSignal,
): Promise<void> {
  const [first] = targets;
  if (first === undefined) return;
  const { clock, random } = session;
  const names = new Set(targets.map(({ name }) => name));
  // One object: by its name, which is all that a Role with resourceNames allows.
  const kube = names.size === 1 ? ofName(session.client, first.name) : session.client;
  const reflector = new Reflector<FollowedObject>({
    kube,
    resource: first.kind.type,
    namespace: first.namespace,
    project: (raw) => (names.has(raw.metadata.name) ? (raw as FollowedObject) : undefined),
    clock,
    random,
    log: quiet,
  });
  const last = new Map<string, ReadObject>(targets.map(({ name, object }) => [name, object]));
  reflector.store.listen((change: Change<FollowedObject>) => {
    if (change.kind === "deleted") {
      sink.deleted(change.previous);
      return;
    }
    last.set(change.object.metadata.name, change.object);
    sink.seen(change.object);
  });
  // What was deleted before the first list, or while the kind was not served, is reported by no event.
  const noteMissing = () => {
    for (const [name, object] of last) {
      if (reflector.store.get(`${first.namespace}/${name}`) === undefined) sink.deleted(object);
    }
  };
  let unavailableMs = 0;
  const check = () => {
    if (reflector.hasSynced()) noteMissing();
    unavailableMs = reflector.isUnavailable() ? unavailableMs + checkMs : 0;
    const state = reflector.check();
    if (unavailableMs >= (hasListed ? patienceMs : checkMs)) {
      sink.lost(
        `${first.kind.type.plural} cannot be watched: ${state.ok ? "the permission is missing" : state.reason}`,
      );
    } else timer = clock.setTimer(check, checkMs);
  };
  let hasListed = false;
  reflector.whenSynced(signal).then(
    () => {
      hasListed = true;
      noteMissing();
    },
    // The wait is over.
    () => {},
  );
  let timer = clock.setTimer(check, checkMs);
  reflector.start();
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  timer.cancel();
  await reflector.stop();
}

/** The client, for one object only. */
function ofName(client: KubeClient, name: string): Pick<KubeClient, "list" | "watch"> {
  const fieldSelector = `metadata.name=${name}`;
  return {
    list: (type: ResourceType, options: ListOptions, signal?: AbortSignal) =>
      client.list(type, { ...options, fieldSelector }, signal),
    watch: (type, options: WatchOptions, sink, signal) =>
      client.watch(type, { ...options, fieldSelector }, sink, signal),
  };
}
