import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { apiVersion } from "../../src/api/names.ts";
import type { ConfigMap, Secret } from "../../src/kube/types.ts";
import { objectKey } from "../../src/runtime/outcome.ts";
import type { Clock } from "../../src/util/clock.ts";
import { runDefaults } from "./builders.ts";
import { FakeKube } from "./fake-kube.ts";

/** The Kubernetes API with runs in the namespace `default`, and the Secrets and ConfigMaps that they take values from. */
export class RunCluster extends FakeKube<NorthflankJobRun> {
  constructor(clock: Pick<Clock, "now">) {
    super(clock, "NorthflankJobRun");
  }

  /** Creates a run with the defaults that the API server would fill in. */
  create(name: string, spec: Partial<NorthflankJobRun["spec"]> = {}, metadata: object = {}): NorthflankJobRun {
    return this.store({
      apiVersion,
      kind: "NorthflankJobRun",
      metadata: { name, namespace: "default", ...metadata },
      spec: { ...defaultSpec, ...spec },
      status: { observedGeneration: -1 },
    });
  }

  /** Puts a Secret or ConfigMap in place. */
  put(object: Secret | ConfigMap): void {
    this.store(object);
  }

  drop(kind: "Secret" | "ConfigMap", name: string): void {
    this.remove(`default/${name}`, kind);
  }

  /** A change by a person: of the spec (which raises the generation) or of annotations. */
  edit(
    name: string,
    change: { readonly spec?: Partial<NorthflankJobRun["spec"]>; readonly annotations?: Record<string, string> },
  ): void {
    const before = this.get("NorthflankJobRun", `default/${name}`) as NorthflankJobRun;
    const { metadata } = before;
    const generation = (metadata.generation ?? 1) + (change.spec === undefined ? 0 : 1);
    const annotations = { ...metadata.annotations, ...change.annotations };
    this.store({
      ...before,
      spec: { ...before.spec, ...change.spec },
      metadata: { ...metadata, generation, annotations },
    });
  }

  read(name: string): NorthflankJobRun | undefined {
    return this.find(`default/${name}`);
  }

  list(): readonly NorthflankJobRun[] {
    return this.all();
  }

  /**
   * As a backup tool or `kubectl create` brings an object back: name, annotations, finalizers and spec of what was copied,
   * and no status. What has its name now is gone first.
   */
  recreate(copy: NorthflankJobRun, metadata: object = {}): NorthflankJobRun {
    const { name, annotations, finalizers } = copy.metadata;
    const kept = { ...(annotations && { annotations }), ...(finalizers && { finalizers }), ...metadata };
    const present = (metadata as { readonly name?: string }).name ?? name;
    if (this.read(present) !== undefined) this.remove(`default/${present}`);
    return this.create(present, structuredClone(copy.spec), kept);
  }

  watch(watcher: (key: string, object: NorthflankJobRun | undefined) => void): () => void {
    return this.onChange(({ type, object }) => {
      if (object.kind !== "NorthflankJobRun") return;
      watcher(objectKey(object.metadata), type === "DELETED" ? undefined : object);
    });
  }
}

const defaultSpec: NorthflankJobRun["spec"] = {
  projectId: "shop",
  jobId: "migrate",
  ...runDefaults(),
};
