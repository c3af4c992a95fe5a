import { afterEach, describe, expect, test } from "vitest";
import { connection, deployment, jobObject, metadata } from "../support/builders.ts";
import type { SentRequest } from "../support/recording-transport.ts";
import { runStatus } from "../support/runs-in-states.ts";
import { WholeOperator } from "../support/whole-operator.ts";

const minute = 60_000;
let operator: WholeOperator;
afterEach(() => operator.stop());

function answer({ method, path }: SentRequest) {
  if (method === "POST") return { status: 200, body: { data: { id: "run-1" } } };
  if (path.includes("/runs/")) return { status: 200, body: { data: { id: "run-1", status: "RUNNING" } } };
  if (path.includes("/runs")) return { status: 200, body: { data: { runs: [] } } };
  return { status: 404, body: { error: { status: 404, message: "no such thing" } } };
}

function run(namespace: string, jobId = "migrate") {
  const apiVersion = "northflank-operator.io/v1alpha1";
  const uid = `uid-${namespace}-${jobId}`;
  const spec = { projectId: "shop", jobId };
  return { apiVersion, kind: "NorthflankJobRun", metadata: metadata(jobId, { namespace, uid }), spec };
}

function starts(): readonly string[] {
  return operator.sent.filter(({ method }) => method === "POST").map(({ path }) => path.split("/jobs/")[1] ?? path);
}

describe("a kind whose CRD is missing", () => {
  const all = {
    NorthflankDeployment: deployment(),
    NorthflankJob: jobObject(),
    NorthflankJobRun: run("shop"),
  } as const;

  test.each(Object.keys(all))("(%s) holds up its own objects only, and is named", async (missing) => {
    operator = new WholeOperator({ answer });
    operator.missing.add(missing);
    operator.store(connection());
    for (const object of Object.values(all)) operator.store(object);
    operator.start();
    await operator.clock.advance(2 * minute);
    const served = Object.entries(all).filter(([kind, object]) => {
      const status = operator.get(kind, `shop/${object.metadata.name}`)?.status as
        | { observedGeneration?: number }
        | undefined;
      return status?.observedGeneration === 1;
    });
    expect(served.map(([kind]) => kind)).toEqual(Object.keys(all).filter((kind) => kind !== missing));
    expect(operator.condition("NorthflankConnection", "shop/default")).toBeDefined();
    expect(operator.notReady()).toEqual([
      expect.stringMatching(new RegExp(`^cache/${missing.toLowerCase()}s: cannot list: .*no such kind`)),
      expect.stringMatching(new RegExp(`^controller/[a-z-]+: waiting for ${missing.toLowerCase()}s$`)),
    ]);
  });

  test("leaves a deployment that waits for a run waiting, until the kind is there and the run has ended", async () => {
    operator = new WholeOperator({ answer });
    operator.missing.add("NorthflankJobRun");
    operator.store(connection());
    operator.store(deployment({ spec: { waitFor: [{ jobRunRef: { name: "migrate" } }] } }));
    operator.store(run("shop"));
    operator.start();
    await operator.clock.advance(2 * minute);
    expect(operator.condition("NorthflankDeployment", "shop/api")).toBeDefined();
    expect(operator.condition("NorthflankDeployment", "shop/api", "Stalled")).not.toBe("True/DependencyFailed");
    expect(starts()).toEqual([]);
    operator.missing.clear();
    await operator.clock.advance(2 * minute);
    expect(starts()).toEqual(["migrate/runs"]);
    expect(operator.notReady()).toEqual([]);
  });
});

describe("of several namespaces", () => {
  test("one that must not be read holds up itself alone, and is served as soon as it can be", async () => {
    operator = new WholeOperator({ answer, watchNamespaces: "a,b" });
    operator.forbidden.add("b");
    for (const namespace of ["a", "b"]) {
      operator.store(connection({ metadata: { namespace, uid: `uid-${namespace}` } }));
      operator.store(run(namespace, `job-${namespace}`));
    }
    operator.start();
    await operator.clock.advance(2 * minute);
    expect(starts()).toEqual(["job-a/runs"]);
    expect(operator.notReady()).toEqual([]);
    const named = operator.manager.checks().filter(({ reason }) => reason.includes('namespace "b"'));
    expect(named.map(({ name }) => name)).toHaveLength(4);
    operator.forbidden.clear();
    await operator.clock.advance(2 * minute);
    expect(starts()).toEqual(["job-a/runs", "job-b/runs"]);
  });

  test("one whose connections must not be read: its runs wait, since what is not read is not gone", async () => {
    operator = new WholeOperator({ answer, watchNamespaces: "a,b" });
    operator.forbidden.add("b/northflankconnections");
    for (const namespace of ["a", "b"]) {
      operator.store(connection({ metadata: { namespace, uid: `uid-${namespace}` } }));
      operator.store(run(namespace, `job-${namespace}`));
    }
    operator.start();
    await operator.clock.advance(5 * minute);
    expect(starts()).toEqual(["job-a/runs"]);
    expect(operator.condition("NorthflankJobRun", "b/job-b")).toBeUndefined();
    operator.forbidden.clear();
    await operator.clock.advance(2 * minute);
    expect(starts()).toEqual(["job-a/runs", "job-b/runs"]);
  });
});

test("a poll reads none of the objects of its job that are over, however many there are", async () => {
  const counts: number[] = [];
  for (const ended of [100, 200]) {
    operator = new WholeOperator({ answer });
    operator.store(connection());
    const status = await runStatus("finished");
    for (let n = 0; n < ended; n += 1) {
      operator.store({ ...run("shop"), metadata: metadata(`over-${n}`), status });
    }
    operator.store(run("shop"));
    operator.start();
    await operator.clock.advance(minute);
    expect(starts()).toEqual(["migrate/runs"]);
    const { store } = operator.caches.jobRuns;
    const byIndex = store.byIndex.bind(store);
    let handed = 0;
    store.byIndex = (name, value) => {
      const found = byIndex(name, value);
      handed += found.length;
      return found;
    };
    const before = operator.sent.length;
    await operator.clock.advance(60 * minute);
    expect(operator.sent.length).toBeGreaterThan(before + 5);
    counts.push(handed);
    await operator.stop();
  }
  expect(counts[1]).toBe(counts[0]);
});
