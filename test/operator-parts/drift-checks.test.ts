import { afterEach, describe, expect, test } from "vitest";
import type { NorthflankConnectionStatus } from "../../src/api/connection.ts";
import type { NorthflankDeployment } from "../../src/api/deployment.ts";
import { connection, deployment } from "../support/builders.ts";
import type { ScriptedAnswer, SentRequest } from "../support/recording-transport.ts";
import { WholeOperator } from "../support/whole-operator.ts";

const hour = 3_600_000;
const minute = 60_000;
const image = "ghcr.io/acme/api:2.0.0";
const count = 80;

interface Service {
  readonly id: string;
  readonly uid: string;
  readonly image: string;
  readonly transitionTime: string;
}

/** Services in projects, as Northflank returns and lists them. */
class Projects {
  readonly services = new Map<string, Service>();
  /** Answers lists in place of what there is. */
  listing: (() => ScriptedAnswer) | undefined;

  constructor(count: number, projects: number) {
    for (let index = 0; index < count; index++) {
      const id = `api-${index}`;
      const transitionTime = "2025-12-31T12:00:00.000Z";
      this.services.set(`project-${index % projects}/${id}`, { id, uid: `service-${id}`, image, transitionTime });
    }
  }

  readonly answer = ({ method, path, body }: SentRequest): ScriptedAnswer => {
    const url = new URL(path, "https://api.northflank.com");
    const [, projectId = "", serviceId, rest] =
      /^\/v1\/projects\/([^/]+)\/services(?:\/([^/]+)(\/deployment)?)?$/.exec(url.pathname) ?? [];
    if (url.pathname === "/v1/auth") return { status: 200, body: { data: {} } };
    if (projectId === "") return notFound;
    if (serviceId === undefined) return this.listing?.() ?? this.#list(projectId, url.searchParams);
    const key = `${projectId}/${serviceId}`;
    const service = this.services.get(key);
    if (service === undefined) return notFound;
    if (method === "POST" && rest !== undefined) {
      const sent = JSON.parse(body ?? "{}") as { external?: { imagePath?: string } };
      this.services.set(key, { ...service, image: sent.external?.imagePath ?? service.image });
      return { status: 200, body: { data: {} } };
    }
    const deployed = { external: { imagePath: service.image }, instances: 1 };
    return { status: 200, body: { data: { ...shown(service), deployment: deployed } } };
  };

  #list(projectId: string, query: URLSearchParams): ScriptedAnswer {
    const all = [...this.services].flatMap(([key, one]) => (key.startsWith(`${projectId}/`) ? [one] : []));
    const from = Number(query.get("cursor") ?? 0);
    const page = all.slice(from, from + Number(query.get("per_page") ?? 50));
    const next = from + page.length;
    const pagination = { hasNextPage: next < all.length, cursor: String(next), count: page.length };
    return { status: 200, body: { data: { services: page.map(shown) }, pagination } };
  }
}

const notFound: ScriptedAnswer = { status: 404, body: { error: { status: 404, message: "not found" } } };

function shown({ id, uid, transitionTime }: Service) {
  const status = { deployment: { status: "COMPLETED", reason: "DEPLOYING", lastTransitionTime: transitionTime } };
  return { id, uid, name: id, serviceType: "deployment", disabledCD: false, servicePaused: false, status };
}

let operator: WholeOperator;
afterEach(() => operator.stop());

/** An operator whose objects are Ready, an hour after they were created. */
async function settled(northflank: Projects): Promise<void> {
  operator = new WholeOperator({ answer: northflank.answer });
  operator.store(connection());
  for (const key of northflank.services.keys()) {
    const [projectId = "", name = ""] = key.split("/");
    const spec: Partial<NorthflankDeployment["spec"]> = { projectId, serviceId: name };
    operator.store(
      deployment({
        metadata: { name, uid: `uid-${name}` },
        spec: { ...spec, deployment: { external: { imagePath: image } } },
      }),
    );
  }
  operator.start();
  await operator.clock.advance(hour);
  expect(readyOf(northflank)).toEqual(new Set(["True/RolloutComplete"]));
}

function readyOf(northflank: Projects): ReadonlySet<string | undefined> {
  const names = [...northflank.services.keys()].map((key) => key.split("/")[1] ?? "");
  return new Set(names.map((name) => operator.condition("NorthflankDeployment", `shop/${name}`)));
}

/** Requests of so long, by what they ask for. */
async function requestsIn(ms: number): Promise<{ lists: number; reads: number; others: number }> {
  const before = operator.sent.length;
  await operator.clock.advance(ms);
  const sent = operator.sent.slice(before).map(({ method, path }) => `${method} ${path}`);
  const lists = sent.filter((line) => /^GET [^?]*\/services(?:\?|$)/.test(line)).length;
  const reads = sent.filter((line) => /^GET [^?]*\/services\/[^/]+(?:\?|$)/.test(line)).length;
  return { lists, reads, others: sent.length - lists - reads };
}

function statusWrites(): number {
  return [...operator.statusWrites].reduce((sum, [key, count]) => sum + (/Deployment/.test(key) ? count : 0), 0);
}

describe("80 settled deployments in two projects of one account", () => {
  test("cost the share of the account and no write, though each is checked several times an hour", async () => {
    const northflank = new Projects(count, 2);
    await settled(northflank);
    const written = statusWrites();
    const { lists, reads } = await requestsIn(2 * hour);
    // One page for each of two projects, every 15 minutes.
    expect(lists / 2).toBeGreaterThanOrEqual(7);
    expect(lists / 2).toBeLessThanOrEqual(9);
    expect((lists + reads) / 2).toBeLessThanOrEqual(206);
    expect((lists + reads) / 2).toBeGreaterThanOrEqual(160);
    expect(statusWrites()).toBe(written);
  });

  test("are said by the connection to be checked less often, with a write an hour at most", async () => {
    await settled(new Projects(count, 2));
    const connectionWrites = () => operator.statusWrites.get("NorthflankConnection shop/default") ?? 0;
    const before = connectionWrites();
    await operator.clock.advance(2 * hour);
    expect(connectionWrites() - before).toBeLessThanOrEqual(2);
    const status = operator.get("NorthflankConnection", "shop/default")?.status as
      | NorthflankConnectionStatus
      | undefined;
    const budget = status?.budget;
    // 320 an hour are wanted, and 8 of 180 are for lists.
    expect(budget).toMatchObject({ pollStretch: "1", checkStretch: "1.9", spentByOthers: 0 });
    expect(budget?.message).toContain("Drift is checked 1.9 times less often");
  });

  test("a rollout by another client is found within one list period, with one read", async () => {
    const northflank = new Projects(count, 2);
    await settled(northflank);
    const key = "project-1/api-7";
    const service = northflank.services.get(key);
    if (service === undefined) throw new Error("no such service");
    const transitionTime = new Date(operator.clock.now()).toISOString();
    northflank.services.set(key, { ...service, image: "ghcr.io/acme/api:9.9.9", transitionTime });
    await operator.clock.advance(17 * minute);
    expect(northflank.services.get(key)?.image).toBe(image);
  });

  test("a service that is gone, or was created again, is found within one list period", async () => {
    const northflank = new Projects(count, 2);
    await settled(northflank);
    northflank.services.delete("project-1/api-7");
    const again = northflank.services.get("project-0/api-8");
    if (again === undefined) throw new Error("no such service");
    northflank.services.set("project-0/api-8", { ...again, uid: "another", image: "ghcr.io/acme/api:1.0.0" });
    await operator.clock.advance(17 * minute);
    expect(operator.condition("NorthflankDeployment", "shop/api-7")).toBe("False/TargetNotFound");
    expect(northflank.services.get("project-0/api-8")?.image).toBe(image);
  });

  test("a change that no list shows is found when the service is read again", async () => {
    const northflank = new Projects(count, 2);
    await settled(northflank);
    const key = "project-1/api-7";
    const service = northflank.services.get(key);
    if (service === undefined) throw new Error("no such service");
    northflank.services.set(key, { ...service, image: "ghcr.io/acme/api:9.9.9" });
    await operator.clock.advance(hour);
    expect(northflank.services.get(key)?.image).toBe(image);
  });

  test.each([
    ["is not allowed", { status: 403, body: { error: { status: 403, message: "forbidden" } } }],
    ["fails", { status: 503, body: { error: { status: 503, message: "unavailable" } } }],
    ["is no list", { status: 200, body: { data: { services: "none" } } }],
  ])("a list that %s leaves every object Ready, and sends nobody to read its service instead", async (_how, answer) => {
    const northflank = new Projects(count, 2);
    await settled(northflank);
    northflank.listing = () => answer;
    const { lists, reads } = await requestsIn(hour);
    expect(readyOf(northflank)).toEqual(new Set(["True/RolloutComplete"]));
    // Two lists in a period as ever, each with the tries of the client.
    expect(lists).toBeLessThanOrEqual(10 * 3);
    expect(reads).toBeLessThanOrEqual(206);
    expect(reads).toBeGreaterThanOrEqual(150);
  });
});
