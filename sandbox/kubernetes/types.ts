/** A JSON object as it came from the wire. Fresh copies may be changed; whatever the store holds may not. */
export type JsonObject = { [key: string]: unknown };

/** One entry of `metadata.managedFields`. */
export interface ManagedFieldsEntry extends JsonObject {
  manager: string;
  operation: "Apply" | "Update";
  apiVersion: string;
  time?: string;
  fieldsType: "FieldsV1";
  fieldsV1: JsonObject;
  subresource?: string;
}

export interface Meta extends JsonObject {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: { [key: string]: string };
  annotations?: { [key: string]: string };
  finalizers?: string[];
  ownerReferences?: JsonObject[];
  managedFields?: ManagedFieldsEntry[];
}

/** Any object of the API. */
export interface ApiObject extends JsonObject {
  apiVersion: string;
  kind: string;
  metadata: Meta;
}

/** A structural schema: the part of OpenAPI v3 that CustomResourceDefinitions may use. */
export interface Schema {
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly description?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: { readonly [name: string]: Schema };
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly not?: Schema;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-embedded-resource"?: boolean;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: "atomic" | "granular";
  readonly "x-kubernetes-patch-merge-key"?: string;
  readonly "x-kubernetes-patch-strategy"?: string;
  readonly "x-kubernetes-validations"?: readonly ValidationRule[];
}

export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

/** A printer column. `value` of a built-in column is computed, `jsonPath` is what a CRD declares. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  readonly jsonPath?: string;
  readonly value?: (object: ApiObject, nowMs: number) => unknown;
}

/** One resource at one version: what a path like `/apis/GROUP/VERSION/PLURAL` leads to. */
export interface Resource {
  readonly origin: "builtin" | "custom";
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Schema of the whole object, without `apiVersion`, `kind` and `metadata`. */
  readonly schema: Schema;
  /** Whether `.../status` exists, and the main path therefore ignores `status`. */
  readonly hasStatus: boolean;
  readonly columns: readonly Column[];
  /** Field selectors beyond `metadata.name` and `metadata.namespace`, as dotted paths. */
  readonly selectableFields: readonly string[];
  /** Names the bucket of the store: two views of the same objects share it. */
  readonly storage: string;
  /** Whether `metadata.generation` counts changes of the spec. */
  readonly counted: boolean;
  readonly behaviour: Behaviour;
}

/** What a resource does beyond storing its objects. */
export interface Behaviour {
  /** PUT without a resourceVersion is taken as "whatever is there" (built-ins) or refused (custom resources). */
  readonly unconditionalUpdate: boolean;
  /** Completes an object that is about to be written: folds `stringData`, fills what the server fills. */
  readonly prepare?: (object: ApiObject, old: ApiObject | undefined) => void;
  /** Findings beyond the schema. */
  readonly validate?: (object: ApiObject, old: ApiObject | undefined) => FieldError[];
  /** Between this view and what is stored. Both return a new object or the same one. */
  readonly fromStorage?: (stored: ApiObject) => ApiObject;
  readonly toStorage?: (viewed: ApiObject) => ApiObject;
  /**
   * What an object has before any client wrote to it: fields that the server's own types always carry. Creating the
   * object does not make its creator their owner.
   */
  readonly blank?: JsonObject;
  /** Group that messages about invalid objects name, where it is not the resource's own. */
  readonly reportedGroup?: string;
  /** The format of names. Default: a DNS subdomain. */
  readonly nameFormat?: "subdomain" | "label" | "path";
}

export type FieldErrorKind =
  | "required"
  | "invalid"
  | "type"
  | "unsupported"
  | "duplicate"
  | "forbidden"
  | "too-long"
  | "too-many";

/** One finding of validation; `path` is a dotted path, `<nil>` where the real server has none. */
export interface FieldError {
  readonly kind: FieldErrorKind;
  readonly path: string;
  /**
   * The value at fault, as JSON would print it. Not printed for `required`, `forbidden` and `too-long`, nor when it is
   * `undefined`.
   */
  readonly value?: unknown;
  readonly detail: string;
}

/** The part of `Resource` that CRDs and built-ins fill in the same way. */
export const customBehaviour: Behaviour = { unconditionalUpdate: false };

/** True for a JSON object (not null, not a list). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `deployments.apps`, or `pods` in the core group: how messages name a resource. */
export function qualified(name: string, group: string): string {
  return group === "" ? name : `${name}.${group}`;
}

/** `apps/v1`, or `v1` in the core group. */
export function apiVersionOf(resource: { readonly group: string; readonly version: string }): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}
