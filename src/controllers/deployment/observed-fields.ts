// pure
import type { SourceView } from "../../northflank/types.ts";
import { capped } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";
import { targetUidFields } from "../target/recreated.ts";
import type { StatedFields } from "./conclusion.ts";
import { sourceText } from "./desired.ts";
import type { TargetView } from "./target-view.ts";

/** The source that a service runs, in one line. */
export function imageText({
  image,
  external,
  internal,
}: Pick<SourceView, "image" | "external" | "internal">): string | undefined {
  if (external !== undefined) return cut(image ?? external.imagePath, 512);
  if (internal === undefined) return cut(image, 512);
  const { buildId, buildSHA, deployedSHA } = internal;
  // What a setting that moves has come to.
  const isMoving = buildId === undefined && (buildSHA === undefined || buildSHA === "latest");
  const commit = isMoving && deployedSHA !== undefined ? ` (${deployedSHA.slice(0, 7)})` : "";
  return cut(`${sourceText({ internal: present(internal) })}${commit}`, 512);
}

/** What was seen, as status shows it, cut to what the schema of the status takes. */
export function observedFields(service: TargetView): StatedFields {
  const { external, internal } = service;
  const source = present({
    kind:
      external !== undefined
        ? ("External" as const)
        : internal !== undefined
          ? ("Internal" as const)
          : ("None" as const),
    image: cut(external === undefined ? undefined : service.image, 512),
    credentials: cut(external?.credentials, 256),
    registryProvider: cut(external?.registryProvider, 128),
    id: cut(internal?.id, 256),
    branch: cut(internal?.branch, 256),
    buildSHA: cut(internal?.buildSHA, 64),
    buildId: cut(internal?.buildId, 128),
    deployedSHA: cut(internal?.deployedSHA, 64),
  });
  const observed = present({
    source,
    buildStatus: cut(service.buildStatus, 64),
    rolloutStatus: cut(service.rolloutStatus, 64),
    rolloutReason: cut(service.rolloutReason, 64),
    rolloutTransitionTime: timeText(service.rolloutTransitionTime),
    continuousDeploymentEnabled: service.disabledCD === undefined ? undefined : !service.disabledCD,
    servicePaused: service.kind === "job" ? undefined : service.servicePaused,
    runOnSourceChange: cut(service.runOnSourceChange, 64),
  });
  return { observed, image: imageText(service), ...targetUidFields(service.uid) };
}

function cut(text: string | undefined, maxLength: number): string | undefined {
  return text === undefined ? undefined : capped(text, maxLength);
}

/** A time as status takes it; what is no time is left out. Milliseconds stay: they tell two rollouts apart. */
export function timeText(text: string | undefined): string | undefined {
  const timeMs = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(timeMs) ? undefined : new Date(timeMs).toISOString();
}
