import type { NorthflankJob } from "../../src/api/job.ts";
import { northflankJobs } from "../../src/api/names.ts";
import { createJobReconciler } from "../../src/controllers/job/reconciler.ts";
import { targetKeys } from "../../src/controllers/target/object.ts";
import { KubeError } from "../../src/kube/errors.ts";
import type { ConfigMap, KubeObject, Secret } from "../../src/kube/types.ts";
import { type SceneDeps, TargetScene } from "./target-scene.ts";

/** NorthflankJobs, and the Secrets and ConfigMaps that they take values from. */
export class JobScene extends TargetScene<NorthflankJob, "target"> {
  /** By `Secret db`; what is not here does not exist. */
  readonly sources = new Map<string, Secret | ConfigMap>();
  /** Reads of Secrets and ConfigMaps. */
  sourceReads = 0;
  #version = 1;

  constructor() {
    super({ type: northflankJobs, indexes: { target: targetKeys }, key: "shop/migrate" });
  }

  /** A Secret as a person applies it. */
  hasSecret(name: string, data: Readonly<Record<string, string>>): void {
    const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
    const metadata = { name, uid: `uid of ${name}`, resourceVersion: String(++this.#version) };
    const secret: Secret = { apiVersion: "v1", kind: "Secret", metadata, data: Object.fromEntries(encoded) };
    this.sources.set(`Secret ${name}`, secret);
  }

  protected reconciler(deps: SceneDeps<NorthflankJob, "target">) {
    return createJobReconciler({ ...deps, kube: this.#sourceReader() });
  }

  #sourceReader() {
    return {
      get: async <T extends KubeObject>({ kind }: { readonly kind: string }, { name }: { readonly name: string }) => {
        this.sourceReads += 1;
        const source = this.sources.get(`${kind} ${name}`);
        if (source === undefined) throw new KubeError({ code: "not_found", step: "get", detail: "gone" });
        return source as KubeObject as T;
      },
    };
  }
}
