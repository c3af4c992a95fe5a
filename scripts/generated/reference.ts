import { type KindDefinition, kinds } from "../../src/api/kinds.ts";
import {
  fluxRequestedAt,
  integrationFinalizer,
  reconcileRequestedAt,
  resolveStart,
  runFinalizer,
  startedRun,
} from "../../src/api/names.ts";
import {
  type NorthflankCall,
  northflankCalls,
  permissionName,
  permissionsFor,
  tokenUses,
} from "../../src/api/northflank-calls.ts";
import { commandTable } from "../../src/cli/command-table.ts";
import { environmentName, type Flag } from "../../src/flags.ts";
import { createMetrics } from "../../src/metrics.ts";
import { fieldsOf, useOf } from "./fields.ts";
import type { GeneratedFile } from "./file.ts";
import { kindPage, kindPageName } from "./kind-page.ts";
import { alignedTable, code, list, page, prose, table } from "./markdown.ts";
import { normalEvents, warningEvents } from "./texts/events.ts";
import { integrationCalls, northflankCallTexts } from "./texts/northflank-calls.ts";
import { reasonTexts } from "./texts/reasons.ts";

/** Pages of the reference that people write. */
export const pagesByHand = ["contradictions.md", "left-out.md"] as const;

/** The pages of `docs/reference` that are written from the source. */
export function referencePages(): readonly GeneratedFile[] {
  return [
    { name: "README.md", text: index() },
    ...kinds.map(kindPage),
    { name: "calls.md", text: callsPage() },
    { name: "reasons.md", text: reasonsPage() },
    { name: "metrics.md", text: metricsPage() },
    { name: "flags.md", text: flagsPage() },
  ];
}

function index(): string {
  return page(
    "# Reference",
    "Every field, call, reason, metric and flag. All pages but the last two are generated from the source.",
    "## Kinds",
    list(kinds.map((kind) => `[${kind.type.kind}](${kindPageName(kind)}): ${prose(kind.description)}`)),
    "## Beside the fields",
    table(
      ["name", "on", "meaning"],
      [
        [
          code(reconcileRequestedAt),
          "annotation of every kind",
          "a new value requests a reconcile; it is copied to `status.lastHandledReconcileAt` once Northflank has answered, or if no request is possible",
        ],
        [
          code(fluxRequestedAt),
          "annotation of every kind",
          "the same, as Flux writes it; of the two, the later time counts",
        ],
        [
          code(resolveStart),
          "annotation of NorthflankJobRun",
          "what to do about a start whose outcome is unknown: the ID of the run, `retry` or `fail`; to repeat a decision, append `@` and any text",
        ],
        [
          code(startedRun),
          "annotation of NorthflankJobRun",
          "the last start, written by the operator: an object that is restored without its status does not run again; remove it to run the job for a copy",
        ],
        [
          code(integrationFinalizer),
          "finalizer of NorthflankConnection",
          "present with `spec.notifications.register`, until its notification integration is deleted in Northflank",
        ],
        [
          code(runFinalizer),
          "finalizer of NorthflankJobRun",
          "present while a run with `deletionPolicy: Abort` is active",
        ],
      ],
    ),
    "## More pages",
    list([
      "[Calls](calls.md): what is sent to Northflank, and which fields it comes from.",
      "[Reasons and Events](reasons.md): every word that conditions and Events use.",
      "[Metrics](metrics.md), [flags](flags.md) of the commands.",
      "[What manifests leave out](left-out.md) of Northflank's request bodies, and why.",
      "[Where the documentation of Northflank contradicts itself](contradictions.md), and what was chosen.",
    ]),
  );
}

function callsPage(): string {
  const calls = Object.keys(northflankCalls) as NorthflankCall[];
  return page(
    "# Calls to Northflank",
    "Each call takes one request of the account's hourly quota. If the connection has `spec.teamId`, the path begins with `/v1/teams/{team}/projects` instead of `/v1/projects`. The token is sent as `Authorization: Bearer`, only to the hosts of `--allowed-api-hosts`.",
    "## What a token needs",
    "Give the role of the token the permissions of the kinds that use it, and no others. The first column is how the user interface of Northflank words them; the second is how the API names them in its responses, in `status.missingPermissions` of a NorthflankConnection, and in the messages of objects.",
    ...permissionTables(calls),
    "A call without its permission gets 401, and Northflank names the permission: the object is `PermissionDenied` until the role is changed; other objects are not affected.",
    "A role can be limited to projects. If Northflank reports that (`status.projectRestrictions`), an object of another project is `ProjectNotAllowed`, and nothing is sent for it.",
    ...calls.flatMap((call) => [
      `## ${call}`,
      code(northflankCallTexts[call].request),
      permissionText(call),
      northflankCallTexts[call].when,
      ...bodyOf(call),
    ]),
    "## Notification integrations",
    "For `spec.notifications.register` of a NorthflankConnection only; without these permissions its condition `NotificationsReady` is False, and everything else works. With `spec.teamId`, the path begins with `/v1/teams/{team}/integrations`.",
    table(
      ["call", "permission", "when"],
      integrationCalls.map(({ request, permission, when }) => [code(request), permission, when]),
    ),
  );
}

function permissionOf(call: NorthflankCall): string | undefined {
  const needs: { readonly usedBy: unknown; readonly permission?: string } = northflankCalls[call];
  return needs.permission;
}

function permissionText(call: NorthflankCall): string {
  const permission = permissionOf(call);
  const { without } = northflankCallTexts[call];
  if (permission === undefined) return "Permission: none; any valid token will do.";
  const loss = without === undefined ? "" : ` Without it ${without}.`;
  return `Permission: ${permission} (${code(permissionName(permission))}).${loss}`;
}

/** For each use of a token the permissions that it needs, and which of them are for writing only. */
function permissionTables(calls: readonly NorthflankCall[]): readonly string[] {
  const all = [...new Set(calls.flatMap((call) => permissionOf(call) ?? []))].sort();
  return tokenUses.flatMap((use) => {
    const isNeeded = (writes: boolean, permission: string) =>
      permissionsFor([{ use, writes }]).includes(permissionName(permission));
    const rows = all
      .filter((permission) => isNeeded(false, permission) || isNeeded(true, permission))
      .map((permission) => [
        permission,
        code(permissionName(permission)),
        isNeeded(false, permission) || use === "NorthflankJobRun" ? "always" : "not under `managementPolicy: Observe`",
      ]);
    return [`**${use}**`, alignedTable(["permission", "as the API names it", "needed"], rows)];
  });
}

/** Which property of the body comes from which field. */
function bodyOf(call: NorthflankCall): readonly string[] {
  return kinds.flatMap((kind) => {
    const rows = rowsOf(kind, call);
    return rows.length === 0 ? [] : [`From a ${link(kind)}:`, alignedTable(["property", "comes from"], rows)];
  });
}

function rowsOf(kind: KindDefinition, call: NorthflankCall): readonly (readonly string[])[] {
  return fieldsOf(kind.spec).flatMap(({ path }) => {
    const { use, sent } = useOf(kind, path);
    // Of a source of values the fields inside say where values are, not what is sent.
    if (use.kind === "source" && /[.[]/.test(path)) return [];
    return sent
      .filter((one) => one.call === call)
      .map(({ property }) => [property === "" ? "the body" : code(property), code(`spec.${path}`)]);
  });
}

function link(kind: KindDefinition): string {
  return `[${kind.type.kind}](${kindPageName(kind)})`;
}

function reasonsPage(): string {
  const words = Object.entries(reasonTexts).sort(([left], [right]) => (left < right ? -1 : 1));
  return page(
    "# Reasons and Events",
    "Every value of `reason` in conditions and Events. The list is closed, and values keep their meaning: match them in alerts and scripts, not the messages. What to do about each is in the [runbook](../runbook.md).",
    table(
      ["reason", "meaning"],
      words.map(([word, meaning]) => [code(word), prose(meaning)]),
    ),
    "## Events",
    "Events are written after the status update they belong to. Repeats are counted in a series. When an object becomes `Stalled`, a Warning with the reason of the condition is written. The others are:",
    table(
      ["type", "reason", "when"],
      [
        ...Object.entries(normalEvents).map(([word, when]) => ["Normal", code(word), prose(when)]),
        ...Object.entries(warningEvents).map(([word, when]) => ["Warning", code(word), prose(when)]),
      ],
    ),
  );
}

function metricsPage(): string {
  const build = { version: "0", revision: "0", nodeVersion: "0" };
  const metrics = createMetrics(build).registry.getMetricsAsArray();
  const ours = metrics.filter(({ name }) => !/^(nodejs|process)_/.test(name));
  return page(
    "# Metrics",
    "Served at `/metrics` of `--metrics-bind-address`. Metrics that controller-runtime and client-go have too keep those names. Labels are closed sets; only the token expiry metric and `api_budget_used_by_object` have names of objects, of a limited number of them. The usual `nodejs_*` and `process_*` metrics are served too.",
    table(
      ["metric", "type", "labels", "meaning"],
      ours
        .map((metric): readonly string[] => [
          code(metric.name),
          String(metric.type),
          labelsOf(metric).map(code).join(", "),
          prose(metric.help),
        ])
        .sort(([left = ""], [right = ""]) => (left < right ? -1 : 1)),
    ),
  );
}

/** prom-client has them on every metric, but not in its types. */
function labelsOf(metric: object): readonly string[] {
  const names: unknown = Reflect.get(metric, "labelNames");
  return Array.isArray(names) ? names.map(String) : [];
}

function flagsPage(): string {
  const withFlags = commandTable.filter(({ flags }) => flags.length > 0);
  return page(
    "# Flags",
    `Each flag can be set by an environment variable; a flag takes precedence. The variable of ${code("--api-url")} is ${code(environmentName("api-url"))}, and so on. Durations are written like ${code("15s")} or ${code("1h30m")}. All problems of a configuration are reported together, and the exit code is 2. ${code("northflank-operator help COMMAND")} prints the same. As a plugin of kubectl (${code("kubectl northflank COMMAND")}) the commands have the same flags.`,
    alignedTable(
      ["command", "what it does"],
      commandTable.map(({ name, summary }) => [code(name), prose(summary)]),
    ),
    ...withFlags.flatMap(({ name, flags }) => [`## northflank-operator ${name}`, flagTable(flags)]),
  );
}

function flagTable(flags: readonly Flag<unknown>[]): string {
  return alignedTable(
    ["flag", "default", "meaning"],
    flags.map(({ name, short, placeholder, fallback, meaning, alsoEnv }) => [
      code(`${short === undefined ? "" : `-${short}, `}--${name} ${placeholder}`.trim()),
      fallback === undefined || fallback === "" ? "" : code(fallback),
      `${prose(meaning)}${alsoEnv === undefined ? "" : ` (also ${code(alsoEnv)})`}`,
    ]),
  );
}
