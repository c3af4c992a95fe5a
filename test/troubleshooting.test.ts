import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { conditionTypes } from "../scripts/generated/texts/condition-types.ts";
import { kinds } from "../src/api/kinds.ts";
import { reconcileRequestedAt } from "../src/api/names.ts";
import type { Manifest } from "./support/chart.ts";
import { renderKustomization } from "./support/manifests.ts";

// The commands of docs/troubleshooting.md are for what deploy/ installs, and its words are those of the program.

const root = resolve(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/troubleshooting.md"), "utf8");
const commands = [...page.matchAll(/^```\n(.*?)^```$/gms)].flatMap(([, block = ""]) => block.trimEnd().split("\n"));

const deployment = renderKustomization(join(root, "deploy")).find(({ kind }) => kind === "Deployment") as Manifest;

test("logs are read from every replica, by a label of the pods, and from their beginning", () => {
  const logs = commands.filter((command) => / logs /.test(command));
  expect(logs.length).toBeGreaterThan(1);
  for (const command of logs) {
    expect(command).toMatch(/ --prefix --tail=-1( |$)/);
    const [, name = "", value] = / -l ([^ =]+)=(\S+)/.exec(command) ?? [];
    expect(deployment.spec.template.metadata.labels[name]).toBe(value);
    expect(command).toContain(`-n ${deployment.metadata.namespace} `);
  }
});

test("readiness is asked for on the port and the path of the probe", () => {
  const [container] = deployment.spec.template.spec.containers;
  const { port, path } = container.readinessProbe.httpGet;
  const { containerPort } = container.ports.find(({ name }: { readonly name: string }) => name === port);
  const { name, namespace } = deployment.metadata;
  expect(commands).toContain(`kubectl -n ${namespace} port-forward deployment/${name} ${containerPort}`);
  expect(commands.join("\n")).toContain(`curl 'http://localhost:${containerPort}${path}?verbose'`);
});

test("objects are named by short names of ours, all of them where all are listed", () => {
  const shortNames = kinds.map(({ shortName }) => shortName);
  const list = commands.find((command) => command.startsWith("kubectl get nf"))?.split(" ")[2];
  expect(list?.split(",").toSorted()).toEqual(shortNames.toSorted());
  for (const [, shortName] of page.matchAll(/\b(nf[a-z]+)\//g)) expect(shortNames).toContain(shortName);
  expect(commands.join("\n")).toContain(` ${reconcileRequestedAt}="$(date +%s)" --overwrite`);
});

test("conditions are those of the kinds", () => {
  const known = Object.values(conditionTypes).flatMap((types) => Object.keys(types));
  const inTable = [...page.matchAll(/`([A-Z][A-Za-z]+)=(?:True|False|Unknown)`/g)].map(([, name]) => name);
  const inText = [...page.matchAll(/conditions ((?:`[A-Za-z]+`(?:, | and )?)+)/g)].flatMap(([, names = ""]) =>
    [...names.matchAll(/`([A-Za-z]+)`/g)].map(([, name]) => name),
  );
  expect(inTable).toEqual(expect.arrayContaining(["Ready", "Reconciling", "Stalled", "Suspended"]));
  expect(inText).toHaveLength(3);
  expect([...inTable, ...inText].filter((name) => !known.includes(name ?? ""))).toEqual([]);
});

test("the pages that it names are there", () => {
  const links = [...page.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path = ""]) => path);
  expect(links.length).toBeGreaterThan(1);
  expect(links.filter((path) => !existsSync(join(root, "docs", path)))).toEqual([]);
});
