import { jsonEqual } from "./equal.ts";
import { qualifiedNameErrors } from "./metadata.ts";
import { age, nameColumn } from "./table.ts";
import {
  type ApiObject,
  type Behaviour,
  type Column,
  type FieldError,
  isObject,
  type JsonObject,
  type Resource,
  type Schema,
} from "./types.ts";

/** The built-in resources of the sandbox. CustomResourceDefinitions are among them in `crds.ts`. */
export function builtinResources(): readonly Resource[] {
  return [
    builtin({
      plural: "namespaces",
      kind: "Namespace",
      shortNames: ["ns"],
      namespaced: false,
      hasStatus: true,
      ...namespace,
    }),
    builtin({ plural: "secrets", kind: "Secret", ...secret }),
    builtin({ plural: "configmaps", kind: "ConfigMap", shortNames: ["cm"], ...configMap }),
    builtin({ plural: "serviceaccounts", kind: "ServiceAccount", shortNames: ["sa"], ...serviceAccount }),
    builtin({ plural: "events", kind: "Event", shortNames: ["ev"], ...coreEvent }),
    builtin({ group: "events.k8s.io", plural: "events", kind: "Event", shortNames: ["ev"], ...newEvent }),
    builtin({ group: "coordination.k8s.io", plural: "leases", kind: "Lease", ...lease }),
    builtin({ ...rbac, plural: "roles", kind: "Role", schema: roleSchema, columns: [createdColumn] }),
    builtin({
      ...rbac,
      plural: "rolebindings",
      kind: "RoleBinding",
      schema: bindingSchema,
      columns: [roleColumn, ageColumn],
    }),
    builtin({
      ...rbac,
      plural: "clusterroles",
      kind: "ClusterRole",
      namespaced: false,
      schema: clusterRoleSchema,
      columns: [createdColumn],
    }),
    builtin({
      ...rbac,
      plural: "clusterrolebindings",
      kind: "ClusterRoleBinding",
      namespaced: false,
      schema: bindingSchema,
      columns: [roleColumn, ageColumn],
    }),
  ];
}

/** Fills in what every built-in resource has in common. */
export function builtin(
  facts: Pick<Resource, "plural" | "kind" | "schema"> &
    Partial<Omit<Resource, "behaviour">> & { readonly behaviour?: Partial<Behaviour> },
): Resource {
  const group = facts.group ?? "";
  return {
    origin: "builtin",
    group,
    version: "v1",
    singular: facts.kind.toLowerCase(),
    listKind: `${facts.kind}List`,
    namespaced: true,
    shortNames: [],
    categories: [],
    hasStatus: false,
    columns: [ageColumn],
    selectableFields: [],
    storage: group === "" ? facts.plural : `${group}/${facts.plural}`,
    counted: false,
    ...facts,
    behaviour: { unconditionalUpdate: true, ...facts.behaviour },
  };
}

export const ageColumn: Column = {
  name: "Age",
  type: "string",
  description: "CreationTimestamp is a timestamp representing the server time when this object was created.",
  value: (object, nowMs) => age(object.metadata.creationTimestamp, nowMs),
};

const text: Schema = { type: "string" };
const integer: Schema = { type: "integer", format: "int32" };
const dateTime: Schema = { type: "string", format: "date-time", nullable: true };
const microTime: Schema = { type: "string", format: "micro-time", nullable: true };
const textMap: Schema = { type: "object", additionalProperties: text };
const bytesMap: Schema = { type: "object", additionalProperties: { type: "string", format: "byte" } };
const textList: Schema = { type: "array", items: text };
const objectReference: Schema = {
  type: "object",
  "x-kubernetes-map-type": "atomic",
  description: "Names another object.",
  properties: {
    apiVersion: text,
    kind: text,
    namespace: text,
    name: text,
    uid: text,
    resourceVersion: text,
    fieldPath: text,
  },
};

const namespace = {
  schema: {
    type: "object",
    description: "Namespace provides a scope for Names.",
    properties: {
      spec: {
        type: "object",
        properties: { finalizers: { type: "array", items: text } },
      },
      status: { type: "object", properties: { phase: text } },
    },
  } satisfies Schema,
  columns: [column("Status", ({ status }) => (status as JsonObject | undefined)?.phase ?? ""), ageColumn],
  behaviour: {
    nameFormat: "label" as const,
    blank: { spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } },
    prepare: (object: ApiObject, old: ApiObject | undefined) => {
      object.metadata.labels = { ...object.metadata.labels, "kubernetes.io/metadata.name": object.metadata.name };
      if (old !== undefined) return;
      object.spec = { finalizers: ["kubernetes"] };
      object.status = { phase: "Active" };
    },
  },
};

const secret = {
  schema: {
    type: "object",
    description: "Secret holds secret data of a certain type.",
    properties: {
      data: { ...bytesMap, description: "Values in base64." },
      stringData: { ...textMap, description: "Values as text; write-only, folded into data." },
      type: { ...text, description: "Used to facilitate programmatic handling of secret data." },
      immutable: { type: "boolean" },
    },
  } satisfies Schema,
  selectableFields: ["type"],
  columns: [column("Type", ({ type }) => type), column("Data", ({ data }) => sizeOf(data)), ageColumn],
  behaviour: {
    prepare: (object: ApiObject) => {
      const { stringData } = object;
      object.type ??= "Opaque";
      delete object.stringData;
      dropEmpty(object, ["data"]);
      if (stringData === undefined || stringData === null) return;
      const folded = Object.entries(stringData as Record<string, string>).map(([key, value]) => [
        key,
        Buffer.from(value).toString("base64"),
      ]);
      object.data = { ...(object.data as JsonObject | undefined), ...Object.fromEntries(folded) };
    },
    validate: (object: ApiObject, old: ApiObject | undefined) => [
      ...keyErrors(object.data, "data"),
      ...immutableErrors(object, old, ["data"]),
      ...(old !== undefined && old.type !== object.type ? [fixed("type", object.type)] : []),
    ],
  },
};

/** Fields that Go leaves out when they are empty. */
function dropEmpty(object: ApiObject, keys: readonly string[]): void {
  for (const key of keys) {
    const value = object[key];
    if (value === null || (isObject(value) && Object.keys(value).length === 0)) delete object[key];
  }
}

const configMap = {
  schema: {
    type: "object",
    description: "ConfigMap holds configuration data for pods to consume.",
    properties: {
      data: { ...textMap, description: "Values as text." },
      binaryData: { ...bytesMap, description: "Values in base64." },
      immutable: { type: "boolean" },
    },
  } satisfies Schema,
  columns: [column("Data", ({ data, binaryData }) => sizeOf(data) + sizeOf(binaryData)), ageColumn],
  behaviour: {
    prepare: (object: ApiObject) => dropEmpty(object, ["data", "binaryData"]),
    validate: (object: ApiObject, old: ApiObject | undefined) => [
      ...keyErrors(object.data, "data"),
      ...keyErrors(object.binaryData, "binaryData"),
      ...immutableErrors(object, old, ["data", "binaryData"]),
    ],
  },
};

const serviceAccount = {
  schema: {
    type: "object",
    description: "ServiceAccount binds together a name and what may be done in that name.",
    properties: {
      secrets: {
        type: "array",
        items: objectReference,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": "name",
      },
      imagePullSecrets: { type: "array", items: { type: "object", properties: { name: text } } },
      automountServiceAccountToken: { type: "boolean" },
    },
  } satisfies Schema,
  columns: [column("Secrets", ({ secrets }) => (Array.isArray(secrets) ? secrets.length : 0)), ageColumn],
};

const lease = {
  schema: {
    type: "object",
    description: "Lease defines a lease concept.",
    properties: {
      spec: {
        type: "object",
        description: "Who holds the lease, since when and for how long.",
        properties: {
          holderIdentity: { ...text, description: "Who holds the lease." },
          leaseDurationSeconds: { ...integer, description: "How long to wait after renewTime before taking it over." },
          acquireTime: { ...microTime, description: "When it was acquired." },
          renewTime: { ...microTime, description: "When it was last renewed." },
          leaseTransitions: { ...integer, description: "How often it changed hands." },
          preferredHolder: text,
          strategy: text,
        },
      },
    },
  } satisfies Schema,
  columns: [column("Holder", ({ spec }) => (spec as JsonObject | undefined)?.holderIdentity ?? ""), ageColumn],
  behaviour: {
    blank: { spec: {} },
    validate: (object: ApiObject): FieldError[] => {
      const spec = (object.spec ?? {}) as JsonObject;
      const positive = (name: string): FieldError[] => {
        const value = spec[name];
        if (value === undefined || value === null || Number(value) > 0) return [];
        return [{ kind: "invalid", path: `spec.${name}`, value, detail: "must be greater than 0" }];
      };
      const transitions = spec.leaseTransitions;
      const negative = typeof transitions === "number" && transitions < 0;
      return [
        ...positive("leaseDurationSeconds"),
        ...(negative
          ? [
              {
                kind: "invalid" as const,
                path: "spec.leaseTransitions",
                value: transitions,
                detail: "must be greater than or equal to 0",
              },
            ]
          : []),
      ];
    },
  },
};

const rbac = { group: "rbac.authorization.k8s.io" };
const policyRules: Schema = {
  type: "array",
  items: {
    type: "object",
    properties: {
      apiGroups: textList,
      resources: textList,
      resourceNames: textList,
      nonResourceURLs: textList,
      verbs: textList,
    },
  },
};
const createdColumn: Column = {
  name: "Created At",
  type: "date",
  description: "",
  value: ({ metadata }) => metadata.creationTimestamp ?? "",
};
const roleColumn = column("Role", ({ roleRef }) => {
  const { kind, name } = (roleRef ?? {}) as JsonObject;
  return `${String(kind)}/${String(name)}`;
});
const roleSchema: Schema = {
  type: "object",
  description: "A set of rules in a namespace. Stored, not enforced.",
  properties: { rules: policyRules },
};
const clusterRoleSchema: Schema = {
  type: "object",
  description: "A set of rules for the cluster. Stored, not enforced.",
  properties: {
    rules: policyRules,
    aggregationRule: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  },
};
const bindingSchema: Schema = {
  type: "object",
  description: "Gives a role to subjects. Stored, not enforced.",
  properties: {
    roleRef: {
      type: "object",
      "x-kubernetes-map-type": "atomic",
      properties: { apiGroup: text, kind: text, name: text },
    },
    subjects: {
      type: "array",
      items: { type: "object", properties: { apiGroup: text, kind: text, name: text, namespace: text } },
    },
  },
};

const eventFields = [
  "involvedObject.kind",
  "involvedObject.namespace",
  "involvedObject.name",
  "involvedObject.uid",
  "involvedObject.apiVersion",
  "involvedObject.resourceVersion",
  "involvedObject.fieldPath",
  "reason",
  "reportingComponent",
  "source",
  "type",
];

const eventColumns: readonly Column[] = [
  column("Last Seen", (event, nowMs) => age(lastSeen(event), nowMs)),
  column("Type", ({ type }) => type ?? ""),
  column("Reason", ({ reason }) => reason ?? ""),
  column("Object", (event) => {
    const { kind, name } = aboutOf(event);
    return `${String(kind ?? "").toLowerCase()}/${String(name ?? "")}`;
  }),
  column("Subobject", (event) => aboutOf(event).fieldPath ?? "", 1),
  column("Source", sourceText, 1),
  column("Message", ({ message, note }) => String(message ?? note ?? "").trim()),
  column("First Seen", (event, nowMs) => age(firstSeen(event), nowMs), 1),
  column("Count", (event) => countOf(event), 1),
  { ...nameColumn, priority: 1 },
];

const eventSource: Schema = { type: "object", properties: { component: text, host: text } };
const eventSeries: Schema = { type: "object", properties: { count: integer, lastObservedTime: microTime } };
const sharedEventFields = {
  reason: { ...text, description: "Why it happened, one word in CamelCase." },
  type: { ...text, description: "Normal or Warning." },
  eventTime: { ...microTime, description: "When it was first observed." },
  series: eventSeries,
  action: { ...text, description: "What was done or failed." },
  related: objectReference,
  reportingInstance: { ...text, description: "Which instance of the controller reports." },
};

const coreEvent = {
  schema: {
    type: "object",
    description: "Event is a report of an event somewhere in the cluster.",
    properties: {
      ...sharedEventFields,
      involvedObject: objectReference,
      message: { ...text, description: "For people." },
      source: eventSource,
      firstTimestamp: dateTime,
      lastTimestamp: dateTime,
      count: integer,
      reportingComponent: text,
    },
  } satisfies Schema,
  selectableFields: eventFields,
  columns: eventColumns,
  storage: "events",
  behaviour: {
    blank: {
      involvedObject: {},
      eventTime: null,
      source: {},
      firstTimestamp: null,
      lastTimestamp: null,
      reportingComponent: "",
      reportingInstance: "",
    },
    prepare: (object: ApiObject) => {
      object.eventTime ??= null;
      object.source ??= {};
      object.firstTimestamp ??= null;
      object.lastTimestamp ??= null;
      object.reportingComponent ??= "";
      object.reportingInstance ??= "";
    },
    validate: namespaceErrors,
  },
};

/** events.k8s.io shows the objects of the core group under newer names. */
const newNames: readonly (readonly [string, string])[] = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["source", "deprecatedSource"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
  ["reportingComponent", "reportingController"],
];

const newEvent = {
  schema: {
    type: "object",
    description: "Event is a report of an event somewhere in the cluster.",
    properties: {
      ...sharedEventFields,
      regarding: objectReference,
      note: { ...text, description: "For people." },
      reportingController: { ...text, description: "Which controller reports." },
      deprecatedSource: eventSource,
      deprecatedFirstTimestamp: dateTime,
      deprecatedLastTimestamp: dateTime,
      deprecatedCount: integer,
    },
  } satisfies Schema,
  selectableFields: eventFields,
  columns: eventColumns,
  storage: "events",
  behaviour: {
    prepare: (object: ApiObject) => {
      object.eventTime ??= null;
      object.deprecatedSource ??= {};
      object.deprecatedFirstTimestamp ??= null;
      object.deprecatedLastTimestamp ??= null;
    },
    validate: newEventErrors,
    blank: {
      regarding: {},
      eventTime: null,
      deprecatedSource: {},
      deprecatedFirstTimestamp: null,
      deprecatedLastTimestamp: null,
    },
    reportedGroup: "",
    fromStorage: (stored: ApiObject) => {
      const { reportingController, reportingInstance, ...rest } = renamed(stored, "events.k8s.io/v1", (pair) => pair);
      return {
        ...rest,
        ...(reportingController === "" ? {} : { reportingController }),
        ...(reportingInstance === "" ? {} : { reportingInstance }),
      } as ApiObject;
    },
    toStorage: (viewed: ApiObject) => {
      const complete = { reportingController: "", reportingInstance: "", ...viewed };
      return renamed(complete, "v1", ([older, newer]) => [newer, older]);
    },
  },
};

function renamed(
  object: ApiObject,
  apiVersion: string,
  direct: (pair: readonly [string, string]) => readonly [string, string],
): ApiObject {
  const names = new Map(newNames.map(direct));
  const entries = Object.entries(object).map(([key, value]) => [names.get(key) ?? key, value] as const);
  return { ...(Object.fromEntries(entries) as ApiObject), apiVersion };
}

function newEventErrors(object: ApiObject, old: ApiObject | undefined): FieldError[] {
  if (old !== undefined) return changedEventErrors(object, old);
  const errors: FieldError[] = [];
  if (object.eventTime === null) errors.push({ kind: "required", path: "eventTime", detail: "" });
  for (const [path, maxLength] of [
    ["reportingController", 128],
    ["reportingInstance", 128],
    ["action", 128],
    ["reason", 128],
  ] as const) {
    const value = object[path] ?? "";
    if (value === "") errors.push({ kind: "required", path, detail: "" });
    else if (String(value).length > maxLength) errors.push(tooLong(path, maxLength));
    if (path === "reportingController" && value !== "") errors.push(...qualifiedNameErrors(String(value), path));
  }
  if (String(object.note ?? "").length > 1024) errors.push(tooLong("message", 1024));
  if (object.type !== "Normal" && object.type !== "Warning") {
    errors.push({
      kind: "invalid",
      path: "type",
      value: "",
      detail: `has invalid value: ${String(object.type ?? "")}`,
    });
  }
  const series = object.series as JsonObject | undefined;
  if (series !== undefined && Number(series.count ?? 0) < 2) {
    errors.push({ kind: "invalid", path: "series.count", value: "", detail: "should be at least 2" });
  }
  return errors;
}

function tooLong(path: string, maxLength: number): FieldError {
  return { kind: "invalid", path, value: "", detail: `can have at most ${maxLength} characters` };
}

/** Nothing of an event may change but its series. */
function changedEventErrors(object: ApiObject, old: ApiObject): FieldError[] {
  const fields: readonly (readonly [string, string])[] = [
    ["involvedObject", "regarding"],
    ["reason", "reason"],
    ["message", "note"],
    ["related", "related"],
    ["action", "action"],
    ["type", "type"],
    ["eventTime", "eventTime"],
    ["reportingController", "reportingController"],
    ["reportingInstance", "reportingInstance"],
  ];
  return fields
    .filter(([, name]) => !jsonEqual(object[name], old[name]))
    .map(([path, name]) => fixed(path, object[name] ?? ""));
}

function namespaceErrors(object: ApiObject): FieldError[] {
  const wanted = aboutOf(object).namespace ?? "";
  const own = object.metadata.namespace ?? "";
  const fits = wanted === "" ? own === "default" || own === "kube-system" : wanted === own;
  if (fits || object.eventTime !== null) return [];
  return [
    { kind: "invalid", path: "involvedObject.namespace", value: wanted, detail: "does not match event.namespace" },
  ];
}

function aboutOf(event: ApiObject): JsonObject {
  return (event.involvedObject ?? event.regarding ?? {}) as JsonObject;
}

function sourceText(event: ApiObject): string {
  const source = (event.source ?? event.deprecatedSource ?? {}) as JsonObject;
  const parts = [
    source.component ?? event.reportingComponent ?? event.reportingController,
    source.host ?? event.reportingInstance,
  ];
  return parts.filter((part) => part !== undefined && part !== "").join(", ");
}

function countOf(event: ApiObject): unknown {
  const series = event.series as JsonObject | undefined;
  return series?.count ?? event.count ?? event.deprecatedCount ?? 1;
}

function firstSeen(event: ApiObject): unknown {
  return event.firstTimestamp ?? event.deprecatedFirstTimestamp ?? event.eventTime;
}

function lastSeen(event: ApiObject): unknown {
  const series = event.series as JsonObject | undefined;
  return (
    series?.lastObservedTime ??
    event.lastTimestamp ??
    event.deprecatedLastTimestamp ??
    event.eventTime ??
    event.metadata.creationTimestamp
  );
}

function column(name: string, value: NonNullable<Column["value"]>, priority = 0): Column {
  return { name, type: "string", description: "", priority, value };
}

function sizeOf(value: unknown): number {
  return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
}

function keyErrors(data: unknown, path: string): FieldError[] {
  return Object.keys((data ?? {}) as JsonObject)
    .filter((key) => !/^[-._a-zA-Z0-9]+$/.test(key) || key.length > 253 || key === "." || key === "..")
    .map((key) => ({
      kind: "invalid",
      path: `${path}[${key}]`,
      value: key,
      detail:
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  " +
        "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    }));
}

function immutableErrors(object: ApiObject, old: ApiObject | undefined, fields: readonly string[]): FieldError[] {
  if (old?.immutable !== true) return [];
  const changed = fields.filter((field) => JSON.stringify(object[field]) !== JSON.stringify(old[field]));
  const detail = "field is immutable when `immutable` is set";
  return [
    ...(object.immutable === true ? [] : [{ kind: "forbidden" as const, path: "immutable", detail }]),
    ...changed.map((path) => ({ kind: "forbidden" as const, path, detail })),
  ];
}

function fixed(path: string, value: unknown): FieldError {
  return { kind: "invalid", path, value, detail: "field is immutable" };
}
