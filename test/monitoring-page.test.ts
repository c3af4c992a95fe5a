import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { alerts } from "../scripts/observability/alerts.ts";
import { kinds } from "../src/api/kinds.ts";
import type { Manifest } from "./support/chart.ts";
import { renderKustomization } from "./support/manifests.ts";

// docs/monitoring.md says what deploy/ and the rules have.

const root = resolve(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/monitoring.md"), "utf8");
const blocks = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = ""]) => parse(block));

test("its table has every alert, in their order, with their severity", () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, severity]) => ({ name, severity }));
  expect(rows).toEqual(alerts.map(({ name, severity }) => ({ name, severity })));
});

test("its targets are the port of the Service that deploy/ has", () => {
  const {
    scrape_configs: [config],
  } = blocks.find((block) => block.scrape_configs !== undefined);
  const [{ names, port }] = config.dns_sd_configs;
  const services = renderKustomization(join(root, "deploy")).filter(({ kind }) => kind === "Service") as Manifest[];
  const service = services.find(({ metadata }) => names.includes(`${metadata.name}.${metadata.namespace}.svc`));
  expect(service?.spec.ports.map((one: { readonly port: number }) => one.port)).toContain(port);
  expect(service?.spec.clusterIP).toBe("None");
});

test("kube-state-metrics may read every kind", () => {
  const { rules } = blocks.find((block) => block.rules !== undefined);
  expect(rules[0]).toEqual({
    apiGroups: [kinds[0]?.type.group],
    resources: kinds.map(({ type }) => type.plural),
    verbs: ["list", "watch"],
  });
});
