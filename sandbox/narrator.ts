import type { KubeObject } from "../src/kube/types.ts";
import type { Call } from "./http.ts";

interface Told extends KubeObject {
  readonly status?: {
    readonly phase?: string;
    readonly image?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
  readonly reason?: string;
  readonly note?: string;
  readonly regarding?: { readonly kind?: string; readonly name?: string };
}

export interface Narrator {
  say(text: string): void;
  /** Opens a chapter. */
  step(title: string): void;
  /** A request that reached Northflank. */
  call(call: Call, quota: { readonly limit: number; readonly used: number }): void;
  /** A change of an object, or an Event, from a watch. Only changes of the ready state are printed. */
  change(event: { readonly type: string; readonly object: Told }): void;
  /** The objects as a table. */
  objects(objects: readonly Told[]): void;
  /** Waits, and gives up loudly after 30 s. */
  until(what: string, isTrue: () => Promise<boolean> | boolean): Promise<void>;
}

/** Prints what happens in columns: when, where, what. */
export function narrator(options: { readonly colour: boolean }): Narrator {
  const startMs = performance.now();
  const told = new Map<string, string>();
  let steps = 0;
  const paint = (code: number, text: string) => (options.colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const line = (where: string, what: string) => {
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1).padStart(5);
    console.log(`${paint(2, `${seconds}s`)}  ${where}  ${what}`);
  };

  return {
    say: (text) => console.log(text),
    step: (title) => console.log(`\n${paint(1, `${++steps}. ${title}`)}`),
    call: (call, { limit, used }) => {
      const path = call.path.replace("/v1/projects/", ".../");
      const answer = call.status === undefined ? paint(31, "answer lost") : String(call.status);
      line(
        paint(35, "northflank"),
        `${call.method.padEnd(6)} ${path} -> ${answer}  ${paint(2, `${limit - used} of ${limit} left`)}`,
      );
    },
    change: ({ type, object }) => {
      if (object.kind === "Event") {
        if (type !== "ADDED") return;
        const about = `${object.regarding?.kind ?? ""}/${object.regarding?.name ?? ""}`;
        line(paint(33, "event     "), `${about}: ${object.reason} - ${object.note ?? ""}`);
        return;
      }
      const key = `${object.kind}/${object.metadata.name}`;
      const readyState = type === "DELETED" ? "deleted" : readyStateOf(object, paint);
      if (readyState === undefined || told.get(key) === readyState) return;
      told.set(key, readyState);
      line(paint(36, "kubernetes"), `${key}: ${readyState}`);
    },
    objects: (objects) => {
      const rows = objects.map((object) => {
        const ready = object.status?.conditions?.find(({ type }) => type === "Ready");
        return [
          object.kind,
          object.metadata.name,
          ready?.status ?? "-",
          ready?.reason ?? "-",
          object.status?.phase ?? object.status?.image ?? "",
        ];
      });
      const all = [["KIND", "NAME", "READY", "REASON", "PHASE / IMAGE"], ...rows];
      const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
      for (const row of all)
        console.log(
          row
            .map((cell, column) => cell.padEnd(widths[column] ?? 0))
            .join("  ")
            .trimEnd(),
        );
    },
    until: async (what, isTrue) => {
      const deadlineMs = performance.now() + 30_000;
      while (!(await isTrue())) {
        if (performance.now() > deadlineMs) throw new Error(`waited 30 s in vain: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}

function readyStateOf(object: Told, paint: (code: number, text: string) => string): string | undefined {
  const conditions = object.status?.conditions ?? [];
  const ready = conditions.find(({ type }) => type === "Ready");
  if (ready === undefined) return undefined;
  const isStalled = conditions.some(({ type, status }) => type === "Stalled" && status === "True");
  const colour = ready.status === "True" ? 32 : isStalled ? 31 : 33;
  const word = ready.status === "True" ? "Ready" : isStalled ? "Stalled" : "Reconciling";
  return `${paint(colour, word)} ${ready.reason} - ${ready.message}`;
}
