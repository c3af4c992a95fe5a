// pure

import { isRecord } from "../util/records.ts";
import { annotationBytes, maxAnnotationBytes } from "./metadata-limits.ts";
import { lastAppliedConfiguration } from "./names.ts";
import { type Problem, problem } from "./problem.ts";

/** What etcd takes in one request by default. */
const maxStoredBytes = 1_572_864;

// Below this nothing here can be over a limit: most manifests are not written out a second time.
const surelySmall = 128_000;

/** What is wrong with an object of this size; nothing with most. */
export function sizeProblems(object: Readonly<Record<string, unknown>>): readonly Problem[] {
  if (roughSize(object) < surelySmall) return [];
  const bytes = Buffer.byteLength(JSON.stringify(object));
  if (bytes <= maxStoredBytes) return [];
  const message = `has ${bytes} bytes, and etcd stores ${maxStoredBytes} at most`;
  return [problem({ path: [], rule: "size", message, remedy: "keep large files in Secrets, and refer to them" })];
}

/**
 * What to know of an object that the API server takes, and `kubectl apply` does not: it keeps a copy of what it was
 * given in an annotation, and all annotations together have a limit.
 */
export function sizeNotes(object: Readonly<Record<string, unknown>>): readonly Problem[] {
  if (roughSize(object) < surelySmall || sizeProblems(object).length > 0) return [];
  const metadata = isRecord(object.metadata) ? object.metadata : {};
  const annotations = isRecord(metadata.annotations) ? metadata.annotations : {};
  const { [lastAppliedConfiguration]: _, ...others } = annotations;
  if (annotationBytes(annotations) > maxAnnotationBytes) return [];
  const copy = goJson({ ...object, metadata: { ...metadata, annotations: others } });
  const bytes = annotationBytes({ ...others, [lastAppliedConfiguration]: copy });
  if (bytes <= maxAnnotationBytes) return [];
  const message =
    "kubectl apply cannot keep its copy of this object in an annotation: the annotations would have " +
    `${bytes} bytes, and ${maxAnnotationBytes} is the most`;
  return [problem({ path: [], rule: "last-applied", message, remedy: "use kubectl apply --server-side" })];
}

/** At most the length of the JSON, and at least a sixth of it, without writing it. */
function roughSize(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + roughSize(item) + 1, 0);
  if (!isRecord(value)) return 1;
  return Object.keys(value).reduce((sum, key) => sum + key.length + roughSize(value[key]) + 2, 0);
}

/** JSON as Go writes it: with escapes for the signs of HTML, and a line break at the end. */
function goJson(value: unknown): string {
  const escaped = JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${escaped}\n`;
}
