import type { KubeClient } from "../kube/client.ts";
import type { ResourceType } from "../kube/types.ts";
import type { Access } from "./installation-fault.ts";

/** Notified of the result of every call. */
export interface AccessObserver {
  readonly worked: (access: Access) => void;
  readonly failed: (access: Access, error: unknown) => void;
}

interface Named {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** The given client, with an observer of the result of each call. A watch has worked once it is answered. */
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
  const ofNamed = (verb: Access["verb"], type: ResourceType, { namespace, name }: Named, subresource?: string) => {
    return { verb, type, subresource, namespace, name } satisfies Access;
  };
  return {
    get: (type, name, signal) => {
      return observed(ofNamed("get", type, name), kube.get(type, name, signal));
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
      // No rule allows this by name: the name is not known yet when the API server asks.
      const access: Access = { verb: "create", type, namespace: object.metadata.namespace };
      return observed(access, kube.create(type, object, options, signal));
    },
    replace: (type, object, options, signal) => {
      const access = ofNamed("update", type, object.metadata, options?.subresource);
      return observed(access, kube.replace(type, object, options, signal));
    },
    apply: (type, object, options, signal) => {
      const access = ofNamed("patch", type, object.metadata, options.subresource);
      return observed(access, kube.apply(type, object, options, signal));
    },
    patch: (type, name, patch, options, signal) => {
      const access = ofNamed("patch", type, name, options?.subresource);
      return observed(access, kube.patch(type, name, patch, options, signal));
    },
    delete: (type, name, options, signal) => {
      return observed(ofNamed("delete", type, name), kube.delete(type, name, options, signal));
    },
  };
}
