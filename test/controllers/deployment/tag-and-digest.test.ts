import { describe, expect, test } from "vitest";
import { jobRunSpec } from "../../../src/api/job-run.ts";
import { asStored } from "../../../src/api/stored.ts";
import type { AccountResolution } from "../../../src/controllers/account/accounts.ts";
import { deployment } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { recordingApi, type SentRequest } from "../../support/recording-transport.ts";
import { RunStory } from "../../support/run-story.ts";

// Renovate, Flux and Argo CD Image Updater write name:tag@digest. Northflank refuses the two together: it is sent the
// digest, and the tag is for people.

const first = `sha256:${"1".repeat(64)}`;
const second = `sha256:${"2".repeat(64)}`;

/** A Northflank that refuses a tag together with a digest, and keeps what it takes. */
function northflank(scene: DeploymentScene, kind: "service" | "job") {
  const state = {
    image: "ghcr.io/acme/api:1.0.0",
    transitions: 0,
    routeIsGone: false,
    failing: undefined as string | undefined,
  };
  const deploymentOf = () => ({ instances: 1, external: { imagePath: state.image, credentials: "ghcr" } });
  const body = () =>
    kind === "job"
      ? deploymentOf()
      : {
          id: "api",
          serviceType: "deployment",
          disabledCD: true,
          deployment: deploymentOf(),
          status: {
            deployment: {
              status: state.failing !== undefined && state.image.includes(state.failing) ? "FAILED" : "COMPLETED",
              lastTransitionTime: new Date(
                Date.parse("2026-01-01T00:00:00Z") + state.transitions * 1_000,
              ).toISOString(),
            },
          },
        };
  const answer = (request: SentRequest) => {
    const isSettings = kind === "job" && !request.path.endsWith("/deployment");
    if (request.method === "GET") {
      return { status: 200, body: { data: isSettings ? { id: "migrate", jobType: "manual" } : body() } };
    }
    if (state.routeIsGone && request.method === "POST") return { status: 410, body: { error: { message: "gone" } } };
    const sent = JSON.parse(request.body ?? "");
    const { imagePath } = (sent.deployment ?? sent).external;
    if (/:[^/@]+@/.test(imagePath)) return { status: 400, body: { error: { message: "tag and digest" } } };
    state.image = imagePath;
    state.transitions += 1;
    return { status: 200, body: { data: {} } };
  };
  const { api, sent } = recordingApi({ clock: scene.clock, answer });
  const account = { api, pool: "acme", address: "https://api.northflank.com", version: "1" };
  scene.resolution = () => ({ kind: "usable", account });
  const written = () => sent.filter(({ method }) => method !== "GET").map(({ body: text }) => JSON.parse(text ?? ""));
  return { state, written };
}

const declared = (imagePath: string) => ({ deployment: { external: { imagePath } } });

describe.each(["service", "job"] as const)("an image with tag and digest on a %s", (kind) => {
  const object = (imagePath: string) =>
    deployment({
      spec: { ...declared(imagePath), ...(kind === "job" ? { serviceId: undefined, jobId: "migrate" } : {}) } as object,
    });

  test("is sent as the digest, is in sync, and is shown with its tag", async () => {
    const scene = new DeploymentScene();
    const { written } = northflank(scene, kind);
    scene.has(object(`ghcr.io/acme/api:1.4.2@${first}`));
    await scene.work(120_000);
    expect(written()).toEqual([{ external: { imagePath: `ghcr.io/acme/api@${first}` } }]);
    expect(scene.object().status?.image).toBe(`ghcr.io/acme/api:1.4.2@${first}`);
    expect(scene.state()).toContain("InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current");
  });

  test("is no change where only the tag is another one, and one where the digest is", async () => {
    const scene = new DeploymentScene();
    const { written } = northflank(scene, kind);
    scene.has(object(`ghcr.io/acme/api:1.4.2@${first}`));
    await scene.work(120_000);
    scene.edit(declared(`ghcr.io/acme/api:1.4.3@${first}`));
    await scene.work(120_000);
    expect(written()).toHaveLength(1);
    expect(scene.object().status?.image).toBe(`ghcr.io/acme/api:1.4.3@${first}`);
    scene.edit(declared(`ghcr.io/acme/api:1.4.3@${second}`));
    await scene.work(120_000);
    expect(written().at(-1)).toEqual({ external: { imagePath: `ghcr.io/acme/api@${second}` } });
    expect(written()).toHaveLength(2);
  });

  test("drifts by the digest: the tag alone, set elsewhere, is another image", async () => {
    const scene = new DeploymentScene();
    const { state, written } = northflank(scene, kind);
    scene.has(object(`ghcr.io/acme/api:1.4.2@${first}`));
    await scene.work(120_000);
    state.image = "ghcr.io/acme/api:1.4.2";
    await scene.work(3_600_000);
    expect(written().at(-1)).toEqual({ external: { imagePath: `ghcr.io/acme/api@${first}` } });
    expect(written()).toHaveLength(2);
  });
});

test("what is put back after a failed rollout keeps its tag, and is sent by its digest", async () => {
  const scene = new DeploymentScene();
  const { state, written } = northflank(scene, "service");
  state.failing = second;
  const rollout = { wait: true, timeoutSeconds: 900, onFailure: "Restore" } as const;
  scene.has(deployment({ spec: { ...declared(`ghcr.io/acme/api:1.4.2@${first}`), rollout } }));
  await scene.work(120_000);
  scene.edit(declared(`ghcr.io/acme/api:1.5.0@${second}`));
  await scene.work(600_000);
  expect(written().map(({ external }) => external.imagePath)).toEqual([
    `ghcr.io/acme/api@${first}`,
    `ghcr.io/acme/api@${second}`,
    `ghcr.io/acme/api@${first}`,
  ]);
  expect(scene.object().status?.changes?.[0]).toMatchObject({
    source: `ghcr.io/acme/api:1.4.2@${first}`,
    cause: "RolledBack",
    phase: "Complete",
  });
});

test("the fallback route is sent the digest too", async () => {
  const scene = new DeploymentScene();
  const { state, written } = northflank(scene, "service");
  state.routeIsGone = true;
  scene.has(deployment({ spec: declared(`ghcr.io/acme/api:1.4.2@${first}`) }));
  await scene.work(120_000);
  expect(written().at(-1)).toEqual({
    deployment: { external: { imagePath: `ghcr.io/acme/api@${first}` }, instances: 1 },
  });
});

test("a run is started with the digest", async () => {
  const account = { kind: "usable", account: { pool: "acme", address: "https://api.northflank.com", version: "1" } };
  const story = new RunStory({ account: () => account as AccountResolution });
  const answer = ({ method }: SentRequest) => ({
    status: 200,
    body: { data: method === "POST" ? { id: "run-1", runName: "migrate-1" } : { runs: [] } },
  });
  const wire = recordingApi({ clock: story.clock, answer });
  Object.assign(account.account, { api: wire.api });
  const spec = { projectId: "shop", jobId: "migrate", ...declared(`ghcr.io/acme/migrate:2@${first}`) };
  await story.run(asStored(jobRunSpec, spec) as object, 1_000);
  const [start] = wire.sent.filter(({ body }) => body !== undefined);
  expect(JSON.parse(start?.body ?? "")).toEqual({
    deployment: { external: { imagePath: `ghcr.io/acme/migrate@${first}` } },
  });
});
