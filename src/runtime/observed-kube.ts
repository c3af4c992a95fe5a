import type { KubeClient } from "../kube/client.ts";
import type { KubeObject, ResourceType } from "../kube/types.ts";
import type { Access } from "./installation-fault.ts";

/** Who hears what becomes of every call. */
export interface AccessObserver {
  readonly worked: (access: Access) => void;
  readonly failed: (access: Access, error: unknown) => void;
}

/** A client that tells what becomes of each call, and is otherwise the given one. A watch has worked once it is answered. */
export function observedKube(kube: KubeClient, observer: AccessObserver): KubeClient {
  const observed = async <T>(access: Access, answer: Promise<T>): Promise<T> => {
    try {
      const value = await answer;
      observer.worked(access);
      return value;
    } catch (error) {
      observer.failed(access, error);
      throw error;
    }
  };
  const ofObject = (
    verb: Access["verb"],
    type: ResourceType,
    { metadata }: KubeObject,
    subresource?: string,
  ): Access => {
    return { verb, type, subresource, namespace: metadata.namespace };
  };
  return {
    get: (type, name, signal) => {
      return observed({ verb: "get", type, namespace: name.namespace }, kube.get(type, name, signal));
    },
    list: (type, options, signal) => {
      return observed({ verb: "list", type, namespace: options.namespace }, kube.list(type, options, signal));
    },
    watch: async (type, options, sink, signal) => {
      const access: Access = { verb: "watch", type, namespace: options.namespace };
      let isAnswered = false;
      const onBytes = () => {
        if (!isAnswered) observer.worked(access);
        isAnswered = true;
        sink.onBytes?.();
      };
      try {
        await kube.watch(type, options, { ...sink, onBytes }, signal);
      } catch (error) {
        observer.failed(access, error);
        throw error;
      }
    },
    create: (type, object, options, signal) => {
      return observed(ofObject("create", type, object), kube.create(type, object, options, signal));
    },
    replace: (type, object, options, signal) => {
      const access = ofObject("update", type, object, options?.subresource);
      return observed(access, kube.replace(type, object, options, signal));
    },
    apply: (type, object, options, signal) => {
      const access = ofObject("patch", type, object, options.subresource);
      return observed(access, kube.apply(type, object, options, signal));
    },
    patch: (type, name, patch, options, signal) => {
      const access: Access = { verb: "patch", type, subresource: options?.subresource, namespace: name.namespace };
      return observed(access, kube.patch(type, name, patch, options, signal));
    },
    delete: (type, name, options, signal) => {
      return observed({ verb: "delete", type, namespace: name.namespace }, kube.delete(type, name, options, signal));
    },
  };
}
