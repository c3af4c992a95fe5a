import { apiVersion } from "../../src/api/names.ts";
import { connection, deployment, metadata, runDefaults } from "../../test/support/builders.ts";
import { isoOf, type Stored } from "../../test/support/fake-kube.ts";
import { grantedPerHour } from "./least.ts";
import { World, type WorldOptions } from "./world.ts";

/** How many objects there are at the start, and where. */
export interface Population {
  readonly objects: number;
  readonly projects: number;
  readonly jobs?: number;
}

/** Where the objects are. */
const namespace = "shop";

/** Name of the deployment with this number, and of its service. */
export function serviceOf(index: number): string {
  return `s-${index}`;
}

/** Name of the project of a service or job: they are spread evenly. */
export function projectOf(index: number, projects: number): string {
  return `p-${index % projects}`;
}

/** The tag that everything runs at the start. */
const firstTag = "1";

export function imageOf(service: string, tag: string): string {
  return `ghcr.io/acme/${service}:${tag}`;
}

/** A settled deployment is given another image, as `kubectl apply` does. */
export function edit({ kube }: World, service: string, tag: string): void {
  const object = found(kube.find(`${namespace}/${service}`, "NorthflankDeployment"), service);
  const spec = { ...(object.spec as object), deployment: { external: { imagePath: imageOf(service, tag) } } };
  const { generation = 1 } = object.metadata;
  kube.store({ ...object, spec, metadata: { ...object.metadata, generation: generation + 1 } });
}

/** Adds a deployment and its service, which runs `tag`; without one it runs what is declared. */
export function addDeployment(world: World, index: number, projects: number, tag = firstTag): void {
  const id = serviceOf(index);
  const projectId = projectOf(index, projects);
  world.northflank.addService(projectId, { id, image: imageOf(id, tag) });
  const source = { external: { imagePath: imageOf(id, firstTag) } };
  const metadata = { name: id, creationTimestamp: isoOf(world.clock.now()) };
  world.kube.store(deployment({ metadata, spec: { projectId, serviceId: id, deployment: source } }));
}

/** Adds a run of a job, as `kubectl create` does. */
export function addRun({ kube, clock }: World, name: string, job: { readonly id: string; readonly projectId: string }) {
  kube.store({
    apiVersion,
    kind: "NorthflankJobRun",
    metadata: metadata(name, { creationTimestamp: isoOf(clock.now()) }),
    spec: {
      projectId: job.projectId,
      jobId: job.id,
      ...runDefaults(),
    },
    status: { observedGeneration: -1 },
  });
}

/** True when the deployment is up to date with its latest spec. */
export function isReady({ kube }: World, service: string): boolean {
  const { metadata, status } = found(kube.find(`${namespace}/${service}`, "NorthflankDeployment"), service);
  const { observedGeneration, conditions = [] } = status as ObservedStatus;
  const ready = conditions.find(({ type }) => type === "Ready");
  return observedGeneration === metadata.generation && ready?.status === "True";
}

interface ObservedStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

/**
 * A world in which an operator has settled everything and was stopped more than an hour ago: no window of the quota is
 * open. What happened so far is not counted.
 */
export async function settledWorld(options: WorldOptions, population: Population): Promise<World> {
  const world = new World(options);
  const { objects, projects, jobs = 0 } = population;
  for (let index = 0; index < projects; index++) world.northflank.addProject(projectOf(index, projects));
  for (let index = 0; index < jobs; index++) {
    world.northflank.addJob(projectOf(index, projects), { id: jobOf(index), image: imageOf(jobOf(index), firstTag) });
  }
  world.kube.store(connection());
  for (let index = 0; index < objects; index++) addDeployment(world, index, projects);
  const unlimited = 1_000_000_000;
  world.northflank.setLimit(unlimited);
  world.start([`--max-requests-per-hour=${unlimited}`]);
  await until(world, () => indexes(objects).every((index) => isReady(world, serviceOf(index))), 3_600_000);
  await world.stop();
  await world.clock.advance(3_600_000);
  world.northflank.setLimit(grantedPerHour);
  world.forget();
  return world;
}

/** Name of the job with this number. */
export function jobOf(index: number): string {
  return `j-${index}`;
}

export function indexes(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Lets time run until the condition holds; it is checked every `stepMs`. Throws after `limitMs`. */
export async function until(
  { clock, errors }: World,
  isDone: () => boolean,
  limitMs: number,
  stepMs = 1_000,
): Promise<void> {
  const endMs = clock.monotonic() + limitMs;
  while (!isDone()) {
    if (clock.monotonic() >= endMs) throw new Error(`not done after ${limitMs} ms; errors: ${errors.join("; ")}`);
    await clock.advance(stepMs);
  }
}

function found(object: Stored | undefined, name: string): Stored {
  if (object === undefined) throw new Error(`there is no ${name}`);
  return object;
}
