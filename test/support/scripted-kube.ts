import type { KubeClient, ListOptions, WatchOptions } from "../../src/kube/client.ts";
import type { KubeList, KubeObject, WatchEvent } from "../../src/kube/types.ts";

/** A list request that waits for the test to answer it. */
export interface ListCall {
  readonly verb: "list";
  readonly options: ListOptions;
  readonly signal: AbortSignal;
  readonly answer: (list: KubeList<KubeObject>) => void;
  readonly fail: (error: Error) => void;
}

/** A watch that is open until the test, or the caller's signal, ends it. */
export interface WatchCall {
  readonly verb: "watch";
  readonly options: WatchOptions;
  readonly signal: AbortSignal;
  readonly event: (event: WatchEvent) => void;
  readonly bytes: () => void;
  readonly end: () => void;
  readonly fail: (error: Error) => void;
}

/** Lists and watches that do nothing but what the test says, in the order they were asked for. */
export class ScriptedKube implements Pick<KubeClient, "list" | "watch"> {
  readonly calls: (ListCall | WatchCall)[] = [];
  #taken = 0;

  readonly list: KubeClient["list"] = (_type, options, signal) => {
    if (signal === undefined) throw new Error("a list without a signal cannot be stopped");
    return new Promise<never>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.calls.push({ verb: "list", options, signal, answer: (list) => resolve(list as never), fail: reject });
    });
  };

  readonly watch: KubeClient["watch"] = (_type, options, sink, signal) =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      const bytes = () => sink.onBytes?.();
      const event = (one: WatchEvent) => {
        bytes();
        sink.onEvent(one);
      };
      this.calls.push({ verb: "watch", options, signal, event, bytes, end: resolve, fail: reject });
    });

  /** The next request in order, which must be a list. */
  nextList(): ListCall {
    const call = this.#next("list");
    if (call.verb !== "list") throw new Error(`expected a list, got a watch ${JSON.stringify(call.options)}`);
    return call;
  }

  /** The next request in order, which must be a watch. */
  nextWatch(): WatchCall {
    const call = this.#next("watch");
    if (call.verb !== "watch") throw new Error(`expected a watch, got a list ${JSON.stringify(call.options)}`);
    return call;
  }

  /** Throws unless every request has been taken by the test. */
  expectNoMore(): void {
    const extra = this.calls.slice(this.#taken);
    if (extra.length > 0) {
      throw new Error(
        `unexpected: ${extra.map(({ verb, options }) => `${verb} ${JSON.stringify(options)}`).join("; ")}`,
      );
    }
  }

  #next(verb: string): ListCall | WatchCall {
    const call = this.calls[this.#taken];
    if (call === undefined) throw new Error(`expected a ${verb}, but there was no further request`);
    this.#taken += 1;
    return call;
  }
}
