import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

// The order of the site's pages: every page of docs/ once, in a group (test/docs/site.test.ts). Links are paths of files.

/** A page, named by its path below docs/. */
export interface PageEntry {
  readonly text: string;
  readonly file: string;
}

export interface PageGroup {
  readonly text: string;
  readonly pages: readonly PageEntry[];
  /** Closed until a reader opens it. Default: open. */
  readonly collapsed?: boolean;
}

const docs = resolve(import.meta.dirname, "..");

export const groups: readonly PageGroup[] = [
  {
    text: "Start",
    pages: [
      { text: "Overview", file: "README.md" },
      { text: "Quick start", file: "quick-start.md" },
      { text: "Questions", file: "faq.md" },
    ],
  },
  {
    text: "Concepts",
    pages: [
      { text: "Concepts", file: "concepts.md" },
      { text: "Requests and the quota", file: "quota.md" },
      { text: "Reliability of runs", file: "reliability.md" },
      { text: "Glossary", file: "glossary.md" },
    ],
  },
  {
    text: "Kinds",
    pages: [
      { text: "NorthflankConnection", file: "kinds/connection.md" },
      { text: "NorthflankDeployment", file: "kinds/deployment.md" },
      { text: "NorthflankJob", file: "kinds/job.md" },
      { text: "NorthflankJobRun", file: "kinds/job-run.md" },
    ],
  },
  {
    text: "How-to",
    pages: [
      { text: "Everyday work", file: "verbs.md" },
      { text: "Automation in the cluster", file: "automation.md" },
      { text: "From a workflow or a script", file: "github-actions.md" },
      { text: "Adopt existing services", file: "how-to/adopt-services.md" },
      { text: "Gate a deploy on a migration", file: "how-to/gate-a-deploy.md" },
      { text: "Rotate a token", file: "how-to/rotate-a-token.md" },
      { text: "Several teams", file: "how-to/several-teams.md" },
      { text: "Preview in a pull request", file: "how-to/preview-a-pull-request.md" },
      { text: "Debug a Stalled object", file: "how-to/debug-a-stalled-object.md" },
      { text: "Import and plan", file: "import-and-plan.md" },
      { text: "Argo CD", file: "argocd.md" },
      { text: "Flux", file: "flux.md" },
      { text: "Kustomize", file: "kustomize.md" },
      { text: "Webhooks", file: "webhooks.md" },
    ],
  },
  {
    text: "Operate",
    pages: [
      { text: "Troubleshooting", file: "troubleshooting.md" },
      { text: "Runbook", file: "runbook.md" },
      { text: "Monitoring", file: "monitoring.md" },
      { text: "Sizing", file: "sizing.md" },
      { text: "Upgrade and API stability", file: "upgrade.md" },
      { text: "Backup, restore, disaster", file: "disaster.md" },
      { text: "Performance", file: "performance.md" },
      { text: "Releases", file: "release.md" },
      { text: "Uninstall", file: "uninstall.md" },
    ],
  },
  {
    text: "Security",
    pages: [{ text: "Security model", file: "security-model.md" }],
  },
  {
    text: "Compare",
    pages: [{ text: "With other tools", file: "comparison.md" }],
  },
  {
    text: "Reference",
    pages: [
      { text: "Index", file: "reference/README.md" },
      { text: "NorthflankConnection", file: "reference/northflankconnection.md" },
      { text: "NorthflankDeployment", file: "reference/northflankdeployment.md" },
      { text: "NorthflankJob", file: "reference/northflankjob.md" },
      { text: "NorthflankJobRun", file: "reference/northflankjobrun.md" },
      { text: "Reasons and Events", file: "reference/reasons.md" },
      { text: "Flags", file: "reference/flags.md" },
      { text: "Metrics", file: "reference/metrics.md" },
      { text: "Calls to Northflank", file: "reference/calls.md" },
      { text: "What manifests leave out", file: "reference/left-out.md" },
      { text: "Where Northflank's pages disagree", file: "reference/contradictions.md" },
    ],
  },
  { text: "Decisions", pages: pagesOf("decisions"), collapsed: true },
];

/** The pages of a folder in the order of their names, its README first. The text is the first heading of each. */
function pagesOf(folder: string): readonly PageEntry[] {
  const names = readdirSync(join(docs, folder)).filter((name) => name.endsWith(".md"));
  const ordered = names.toSorted((one, other) => one.localeCompare(other, "en"));
  return [...ordered.filter(isIndex), ...ordered.filter((name) => !isIndex(name))].map((name) => {
    const [, text = name] = /^# (.+)$/m.exec(readFileSync(join(docs, folder, name), "utf8")) ?? [];
    return { text, file: `${folder}/${name}` };
  });
}

function isIndex(name: string): boolean {
  return name === "README.md";
}
