import { notAcceptable } from "./status-errors.ts";

/** The form of an answer. */
export interface Representation {
  readonly shape: "object" | "table" | "partial";
  readonly format: "json" | "yaml";
}

/**
 * The first form of the `Accept` header that this server can give.
 *
 * *Errors*: 406 when there is none (protobuf only, for example).
 */
export function negotiate(accept: string | undefined): Representation {
  for (const range of (accept ?? "*/*").split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    const as = parameters.find((parameter) => parameter.startsWith("as="))?.slice("as=".length);
    const format = formats[type];
    if (format === undefined) continue;
    if (as === undefined) return { shape: "object", format };
    if (as === "Table") return { shape: "table", format };
    if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return { shape: "partial", format };
  }
  throw notAcceptable();
}

const formats: Readonly<Record<string, "json" | "yaml">> = {
  "application/json": "json",
  "application/yaml": "yaml",
  "application/*": "json",
  "*/*": "json",
  "": "json",
};
