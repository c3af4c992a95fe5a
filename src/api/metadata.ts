import type { ObjectSchema } from "./schema.ts";

const dnsSubdomain = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const dnsLabel = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const name = "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?";
const qualifiedName = `^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?${name}$`;
/** The keys of annotations: the prefix in either case. */
const annotationName = `^([A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*/)?${name}$`;
const timeText = {
  type: "string",
  format: "date-time",
  maxLength: 64,
  description: "RFC 3339 time, set by the API server.",
} as const;

/**
 * What the API server asks of `metadata`, for the offline check only: CRDs leave it to the server. `managedFields` is
 * missing on purpose, because its content is free; the check takes it away first.
 */
export const metadataSchema = {
  type: "object",
  description: "Standard object metadata.",
  properties: {
    name: {
      type: "string",
      minLength: 1,
      maxLength: 253,
      pattern: dnsSubdomain,
      description: "Lower-case letters, digits, hyphens and dots; begins and ends with a letter or digit.",
    },
    generateName: {
      type: "string",
      minLength: 1,
      maxLength: 253,
      pattern: "^[a-z0-9]([-a-z0-9.]*)$",
      description: "Beginning of a name that the server completes.",
    },
    namespace: {
      type: "string",
      minLength: 1,
      maxLength: 63,
      pattern: dnsLabel,
      description: "Lower-case letters, digits and hyphens, at most 63.",
    },
    labels: {
      type: "object",
      maxProperties: 1_000,
      propertyNames: { pattern: qualifiedName, maxLength: 317 },
      description: "Labels.",
      additionalProperties: {
        type: "string",
        maxLength: 63,
        pattern: "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        description: "At most 63 letters, digits, hyphens, underscores and dots.",
      },
    },
    annotations: {
      type: "object",
      maxProperties: 1_000,
      propertyNames: {
        pattern: annotationName,
        maxLength: 317,
      },
      description: "Annotations.",
      additionalProperties: { type: "string", maxLength: 262_144, description: "Any text." },
    },
    finalizers: {
      type: "array",
      maxItems: 100,
      "x-kubernetes-list-type": "set",
      description: "Finalizers.",
      items: {
        type: "string",
        minLength: 1,
        maxLength: 317,
        pattern: qualifiedName,
        description: "domain/name of one finalizer.",
      },
    },
    ownerReferences: {
      type: "array",
      maxItems: 100,
      "x-kubernetes-list-type": "atomic",
      description: "Owners.",
      items: {
        type: "object",
        description: "One owner.",
        properties: {
          apiVersion: {
            type: "string",
            minLength: 1,
            maxLength: 253,
            pattern: "^([^/]+/)?[^/]+$",
            description: "Group and version.",
          },
          kind: { type: "string", minLength: 1, maxLength: 63, description: "Kind." },
          name: { type: "string", minLength: 1, maxLength: 253, description: "Name." },
          uid: { type: "string", minLength: 1, maxLength: 128, description: "uid." },
          controller: { type: "boolean", description: "Whether it is the managing controller." },
          blockOwnerDeletion: { type: "boolean", description: "Whether the owner waits for this object." },
        },
        required: ["apiVersion", "kind", "name", "uid"],
      },
    },
    uid: { type: "string", maxLength: 128, description: "Set by the API server." },
    resourceVersion: { type: "string", maxLength: 128, description: "Set by the API server." },
    selfLink: { type: "string", maxLength: 2_048, description: "Set by old API servers." },
    generation: { type: "integer", format: "int64", minimum: 0, description: "Set by the API server." },
    creationTimestamp: timeText,
    deletionTimestamp: timeText,
    deletionGracePeriodSeconds: { type: "integer", format: "int64", minimum: 0, description: "Set by the API server." },
  },
  "x-kubernetes-validations": [
    {
      name: "object-name",
      rule: "has(self.name) || has(self.generateName)",
      message: "metadata.name is missing",
      check: (self: { readonly name?: string; readonly generateName?: string }) =>
        self.name !== undefined || self.generateName !== undefined,
    },
  ],
} as const satisfies ObjectSchema;
