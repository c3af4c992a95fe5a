// pure
import { hash } from "node:crypto";
import type { NorthflankDeploymentSpec } from "../../api/deployment.ts";
import type { DeploymentUpdate } from "../../northflank/types.ts";
import { canonicalJson } from "../../util/canonical-json.ts";
import { formatImage, type ImageReference, imageToSend, parseImageReference } from "../../util/image-reference.ts";
import type { SpecProblem } from "../reconcile/spec-validation.ts";

/** What a spec declares, in the form that is compared, sent and remembered. */
export interface Desire {
  /** Sent as it is, but for the tag of an image beside its digest, which Northflank does not take. */
  readonly body: DeploymentUpdate;
  /** The declared image, taken apart; `undefined` for other sources. */
  readonly image: ImageReference | undefined;
  /** Equal for declarations that mean the same, so that a new spelling of an image is no change. */
  readonly hash: string;
  /** The source in one line, for people: an image, a build, or that the source is left alone. */
  readonly source: string;
}

export type DesireResult =
  | { readonly kind: "desire"; readonly desire: Desire }
  | { readonly kind: "problem"; readonly problem: SpecProblem };

/** Reads `spec.deployment`. The image is validated here again, for objects that an older schema accepted. */
export function desireOf(spec: NorthflankDeploymentSpec): DesireResult {
  const body: DeploymentUpdate = spec.deployment;
  if (body.external === undefined) return desire(body, undefined);
  const parsed = parseImageReference(body.external.imagePath);
  if (parsed.kind === "image") return desire(body, parsed.image);
  const field = "spec.deployment.external.imagePath";
  return { kind: "problem", problem: { field, message: parsed.message, remedy: "" } };
}

/** The source of a body in one line, such as `ghcr.io/acme/api:1.4.2` or `build api-build@main`. */
export function sourceText({ external, internal }: DeploymentUpdate): string {
  if (external !== undefined) return external.imagePath;
  if (internal === undefined) return "the present source";
  const version = internal.buildId ?? internal.buildSHA ?? internal.branch;
  return `build ${internal.id ?? "of the present service"}${version === undefined ? "" : `@${version}`}`;
}

function desire(body: DeploymentUpdate, image: ImageReference | undefined): DesireResult {
  return { kind: "desire", desire: { body, image, hash: hashOf(body, image), source: sourceText(body) } };
}

function hashOf(body: DeploymentUpdate, image: ImageReference | undefined): string {
  const external = image === undefined ? undefined : { ...body.external, imagePath: imageToSend(formatImage(image)) };
  return hash("sha256", canonicalJson({ ...body, external }), "hex").slice(0, 32);
}
