import { type Alert, alerts, runbookUrl } from "./alerts.ts";

/** A group of rules as Prometheus and the Prometheus operator read it. */
export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly AlertingRule[];
}

interface AlertingRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<"summary" | "description" | "runbook_url", string>>;
}

/** The alerts as one group. */
export function ruleGroups(): readonly RuleGroup[] {
  return [{ name: "northflank-operator", rules: alerts.map(ruleOf) }];
}

function ruleOf(alert: Alert): AlertingRule {
  const { name, expr, severity, summary, meaning, firstStep } = alert;
  return {
    alert: name,
    expr,
    for: alert.for,
    labels: { severity },
    annotations: { summary, description: `${meaning} First: ${firstStep}`, runbook_url: runbookUrl(name) },
  };
}
