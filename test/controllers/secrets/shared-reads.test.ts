import { describe, expect, test } from "vitest";
import { SharedReads, sharedReadMs } from "../../../src/controllers/secrets/shared-reads.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import { configMaps, type KubeObject, type ResourceType, secrets } from "../../../src/kube/types.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function scene() {
  const clock = new FakeClock();
  const asked: string[] = [];
  let answer: () => Promise<KubeObject> = async () => secret("1");
  const kube = {
    get: async <T extends KubeObject>({ plural }: ResourceType, name: { namespace?: string; name: string }) => {
      asked.push(`${plural} ${name.namespace}/${name.name}`);
      return (await answer()) as T;
    },
  };
  return {
    clock,
    asked,
    reads: new SharedReads({ kube, clock }),
    answers: (next: typeof answer) => {
      answer = next;
    },
  };
}

function secret(resourceVersion: string): KubeObject {
  return { apiVersion: "v1", kind: "Secret", metadata: { name: "db", resourceVersion } };
}

const name = { namespace: "shop", name: "db" };

describe("shared reads", () => {
  test("of five hundred objects are one request, while its answer is recent", async () => {
    const { clock, reads, asked } = scene();
    await Promise.all(Array.from({ length: 500 }, () => reads.shared.get(secrets, name)));
    await clock.advance(sharedReadMs - 1);
    await reads.shared.get(secrets, name);
    expect(asked).toEqual(["secrets shop/db"]);
    await clock.advance(1);
    await reads.shared.get(secrets, name);
    expect(asked).toHaveLength(2);
  });

  test("do not mix kinds and namespaces", async () => {
    const { reads, asked } = scene();
    await reads.shared.get(secrets, name);
    await reads.shared.get(configMaps, name);
    await reads.shared.get(secrets, { ...name, namespace: "other" });
    expect(asked).toEqual(["secrets shop/db", "configmaps shop/db", "secrets other/db"]);
  });

  test("are forgotten when their time is over, though nobody asks again", async () => {
    const { clock, reads } = scene();
    await reads.shared.get(secrets, name);
    await clock.advance(sharedReadMs / 2);
    await reads.shared.get(configMaps, name);
    await clock.advance(2 * sharedReadMs);
    expect({ kept: reads.size, timers: clock.pendingTimers }).toEqual({ kept: 0, timers: 0 });
  });

  test("remember that something is missing, and no other error", async () => {
    const { reads, asked, answers } = scene();
    const failing = (code: "not_found" | "throttled") => async () => {
      throw new KubeError({ code, step: "get", detail: "no" });
    };
    answers(failing("not_found"));
    await expect(reads.shared.get(secrets, name)).rejects.toThrow("[not_found]");
    await expect(reads.shared.get(secrets, name)).rejects.toThrow("[not_found]");
    expect(asked).toHaveLength(1);
    answers(failing("throttled"));
    await expect(reads.shared.get(configMaps, name)).rejects.toThrow("[throttled]");
    answers(async () => secret("2"));
    expect(await reads.shared.get(configMaps, name)).toMatchObject({ metadata: { resourceVersion: "2" } });
  });

  test("see what a fresh read has seen, and a fresh read always asks", async () => {
    const { reads, asked, answers } = scene();
    await reads.shared.get(secrets, name);
    answers(async () => secret("2"));
    expect(await reads.fresh.get(secrets, name)).toMatchObject({ metadata: { resourceVersion: "2" } });
    expect(await reads.shared.get(secrets, name)).toMatchObject({ metadata: { resourceVersion: "2" } });
    expect(asked).toHaveLength(2);
  });

  test("are not ended by the one who asked first", async () => {
    const { reads } = scene();
    const first = new AbortController();
    const both = [reads.shared.get(secrets, name, first.signal), reads.shared.get(secrets, name)];
    first.abort(new Error("given up"));
    expect((await Promise.allSettled(both)).at(1)?.status).toBe("fulfilled");
    await expect(reads.shared.get(secrets, name, first.signal)).rejects.toThrow("given up");
  });
});
