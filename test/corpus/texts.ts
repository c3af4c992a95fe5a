import { readFileSync } from "node:fs";

/** A text as it stands in a file, and what `validate` finds in it. */
export interface Text {
  readonly text: string;
  /** `line:column field rule` of each finding, in order. Empty: the text is good. */
  readonly findings: readonly string[];
  /**
   * What keeps the API server from being asked the same question. `other kinds`: it would judge documents that are none
   * of our business. `nothing in it`: there is nothing to judge. `refused on purpose`: `validate` is stricter, because
   * what would be stored is not what is written. `kubectl alone`: it is about how kubectl parts and decodes a file.
   */
  readonly notAsked?: "other kinds" | "nothing in it" | "refused on purpose" | "kubectl alone";
}

const run = "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankJobRun\nmetadata: {name: migrate}\n";
const head = "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankDeployment\nmetadata: {name: api}\n";
const least = `${run}spec: {projectId: shop, jobId: migrate}\n`;
const spec = `${run}spec:\n  projectId: shop\n  jobId: migrate\n`;
const service = `${head}spec:\n  projectId: shop\n  serviceId: api\n`;
const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b, a: c}\n";

type Row = readonly [text: string, findings: readonly string[], notAsked?: Text["notAsked"]];

/** How values are read. */
const values: Readonly<Record<string, Row>> = {
  "a run": [least, []],
  "a number with a leading zero is one": [
    `${spec}  runtimeEnvironment:\n    PORT: 010\n`,
    ["8:5 spec.runtimeEnvironment.PORT type"],
  ],
  "a country that is a boolean in YAML 1.1": [
    `${spec}  runtimeEnvironment:\n    COUNTRY: NO\n`,
    ["8:5 spec.runtimeEnvironment.COUNTRY type"],
  ],
  "the same in quotes": [`${spec}  runtimeEnvironment: {COUNTRY: "NO", PORT: '010'}\n`, []],
  "a time stays text": [`${spec}  runtimeEnvironment: {AT: 2026-01-01, T: 12:30:45}\n`, []],
  "a version with two dots is text": [`${spec}  runtimeEnvironment: {V: 1.4.2}\n`, []],
  "a version with one dot is a number": [
    `${spec}  runtimeEnvironment: {V: 1.4}\n`,
    ["7:24 spec.runtimeEnvironment.V type"],
  ],
  "a commit of digits only is a number": [
    `${service}  deployment:\n    internal:\n      buildSHA: 1234567890123456789012345678901234567890\n`,
    ["9:7 spec.deployment.internal.buildSHA type"],
  ],
  "a commit that looks like a number with an exponent": [
    `${spec}  runtimeEnvironment: {SHA: 12e45}\n`,
    ["7:24 spec.runtimeEnvironment.SHA type"],
  ],
  "underscores in a number": [`${spec}  backoffLimit: 1_0\n`, []],
  "a number in hexadecimal": [`${spec}  backoffLimit: 0x0A\n`, []],
  "a number in binary": [`${spec}  backoffLimit: 0b11\n`, []],
  "an octal number": [`${run}spec: {projectId: shop, jobId: migrate, backoffLimit: 010}\n`, []],
  "an octal number with its letter": [`${spec}  backoffLimit: 0o10\n`, []],
  "a number with a sign": [`${spec}  backoffLimit: +3\n`, []],
  "a whole number with a fraction of nothing": [`${spec}  backoffLimit: 3.0\n`, []],
  "a number with a fraction": [`${spec}  backoffLimit: 3.5\n`, ["7:3 spec.backoffLimit type"]],
  "a number with an exponent": [`${spec}  backoffLimit: 1e1\n`, []],
  "a number below its bound": [`${spec}  backoffLimit: -1\n`, ["7:3 spec.backoffLimit minimum"]],
  "a number above 32 bits": [`${spec}  startDeadlineSeconds: 4294967296\n`, ["7:3 spec.startDeadlineSeconds maximum"]],
  "a number above 64 bits": [
    `${spec}  startDeadlineSeconds: 99999999999999999999\n`,
    ["7:3 spec.startDeadlineSeconds maximum"],
  ],
  "no number": [`${spec}  backoffLimit: .nan\n`, ["7:3 spec.backoffLimit type"]],
  "suspend: yes is true": [`${run}spec: {projectId: shop, jobId: migrate, suspend: yes}\n`, []],
  "suspend: y is true": [`${spec}  suspend: y\n`, []],
  "suspend in quotes is text": [`${spec}  suspend: "yes"\n`, ["7:3 spec.suspend type"]],
  "suspend: 1 is a number": [`${spec}  suspend: 1\n`, ["7:3 spec.suspend type"]],
  "suspend without a value is left out": [`${spec}  suspend:\n`, []],
  "suspend: ~ is left out": [`${spec}  suspend: ~\n`, []],
  "a project that is a number": [`${run}spec:\n  projectId: 123\n  jobId: migrate\n`, ["5:3 spec.projectId type"]],
  "a project without a value": [`${run}spec:\n  projectId:\n  jobId: migrate\n`, ["5:3 spec.projectId required"]],
  "text in several lines": [`${service}  deployment:\n    docker:\n      configType: customCommand\n      customCommand: >-\n        node server.js\n        --port 8080\n`, []], // biome-ignore format: one thing
  "a block of text": [
    `${spec}  runtimeEnvironment:\n    SCRIPT: |\n      set -e\n      echo "a: b" # no comment\n`,
    [],
  ],
  "text over two lines in quotes": [`${spec}  runtimeEnvironment:\n    A: "one\n      two"\n`, []],
  escapes: [`${spec}  runtimeEnvironment: {A: "\\x41\\u00e9\\U0001F600\\t\\n", B: 'it''s'}\n`, []],
  "an emoji as it is": [`${spec}  runtimeEnvironment: {A: 😀}\n`, []],
  "an emoji as two escapes, which YAML does not know": [
    `${spec}  runtimeEnvironment:\n    A: "\\ud83d\\ude00"\n`,
    ["8:8 spec.runtimeEnvironment.A character"],
  ],
  "half an emoji": [`${spec}  runtimeEnvironment:\n    A: "\\ud83d"\n`, ["8:8 spec.runtimeEnvironment.A character"]],
  "an escaped backslash before u": [`${spec}  runtimeEnvironment:\n    A: "\\\\ud83d"\n`, []],
  "the same text without quotes": [`${spec}  runtimeEnvironment:\n    A: \\ud83d\\ude00\n`, []],
  "NUL as an escape": [`${spec}  runtimeEnvironment:\n    A: "a\\0"\n`, ["8:5 spec.runtimeEnvironment.A pattern"]],
  "an escape that does not exist": [`${spec}  runtimeEnvironment: {A: "\\q"}\n`, ["7:28  syntax"]],
  "a tag for text": [`${spec}  runtimeEnvironment: {PORT: !!str 8080}\n`, []],
  "a tag for a number": [`${spec}  backoffLimit: !!int "3"\n`, []],
  "a tag for binary": [`${spec}  runtimeEnvironment: {A: !!binary aGVsbG8=}\n`, []],
  "a label that is a date": [`${least.replace("{name: migrate}", "{name: migrate, labels: {at: 2026-01-01}}")}`, []],
  "a label that is a boolean": [
    least.replace("{name: migrate}", "{name: migrate, labels: {on: on}}"),
    ["3:36 metadata.labels.true type"],
  ],
  "a name that is a number": [least.replace("name: migrate}", "name: 123}"), ["3:12 metadata.name type"]],
  "a name that is a number in quotes": [least.replace("name: migrate}", 'name: "123"}'), []],
  "a variable named yes becomes true": [`${spec}  runtimeEnvironment: {yes: a}\n`, []],
};

/** Fields that are not as they should be. */
const fields: Readonly<Record<string, Row>> = {
  "a misspelt field": [`${spec}  sespend: true\n`, ["7:3 spec.sespend unknown-field"]],
  "a field in the wrong case": [
    `${service}  deployment:\n    external:\n      imagepath: nginx:1\n`,
    ["8:5 spec.deployment.external.imagePath required", "9:7 spec.deployment.external.imagepath unknown-field"],
  ],
  "a field that was not indented": [`${spec}suspend: true\n`, ["7:1 suspend unknown-field"]],
  "a field that was indented too far": [
    `${service}  deployment:\n    docker: {configType: default}\n    suspend: true\n`,
    ["9:5 spec.deployment.suspend unknown-field"],
  ],
  "a field twice": [`${spec}  jobId: migrate\n`, ["7:3 spec.jobId duplicate-key"]],
  "a variable twice": [
    `${spec}  runtimeEnvironment:\n    A: "1"\n    B: "2"\n    A: "3"\n`,
    ["10:5 spec.runtimeEnvironment.A duplicate-key"],
  ],
  "a label twice": [
    least.replace("{name: migrate}", "{name: migrate, labels: {a: b, a: c}}"),
    ["3:42 metadata.labels.a duplicate-key"],
  ],
  "spec twice": [`${least}spec: {projectId: shop, jobId: other}\n`, ["5:1 spec duplicate-key"]],
  "a key twice in two spellings": [
    `${spec}  runtimeEnvironment:\n    yes: a\n    true: b\n`,
    ["9:5 spec.runtimeEnvironment.true duplicate-key"],
  ],
  "a missing field points at its parent": [`${run}spec:\n  projectId: shop\n`, ["4:1 spec.jobId required"]],
  "no spec": [run, ["1:1 spec required"]],
  "a spec without a value": [`${run}spec:\n`, ["4:1 spec required"]],
  "a spec that is text": [`${run}spec: "projectId: shop"\n`, ["4:1 spec type"]],
  "a spec that is a list": [`${run}spec:\n- projectId: shop\n- jobId: migrate\n`, ["4:1 spec type"]],
  "no name": [least.replace("{name: migrate}", "{}"), ["3:1 metadata object-name"]],
  "no metadata": [least.replace("metadata: {name: migrate}\n", ""), ["1:1 metadata required"]],
  "a name with an underscore": [least.replace("name: migrate}", "name: my_run}"), ["3:12 metadata.name pattern"]],
  "a name to be completed": [least.replace("name: migrate}", "generateName: migrate-}"), []],
  "another version of ours": [least.replace("v1alpha1", "v1"), ["1:1 apiVersion api-version"]],
  "a kind that our group does not have": [
    "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankAddon\nmetadata: {name: a}\n",
    ["2:1 kind kind"],
  ],
  "a kind in lower case": [least.replace("NorthflankJobRun", "northflankjobrun"), ["2:1 kind kind"]],
  "our kind in a group that is not ours": [
    least.replace("northflank-operator.io", "northflank.io"),
    ["1:1 apiVersion api-version"],
  ],
  "our kind without apiVersion": [least.replace(/^.*\n/, ""), ["1:1 apiVersion api-version"]],
  "our group without a kind": ["apiVersion: northflank-operator.io/v1alpha1\n", ["1:1 kind kind"]],
  "an image without tag": [
    `${service}  deployment:\n    external:\n      imagePath: ghcr.io/acme/api\n`,
    ["9:7 spec.deployment.external.imagePath tag-or-digest"],
  ],
  "an image that is a map, because of a space": [
    `${service}  deployment:\n    external:\n      imagePath: {ghcr.io/acme/api: 1}\n`,
    ["9:7 spec.deployment.external.imagePath type"],
  ],
  "a deployment without a value": [`${service}  deployment:\n`, ["7:3 spec.deployment required"]],
  "both targets": [`${service}  jobId: api\n  deployment: {docker: {configType: default}}\n`, ["4:1 spec one-target"]],
  "a list where one thing is meant": [
    `${service}  deployment: {docker: {configType: [default]}}\n`,
    ["7:25 spec.deployment.docker.configType type"],
  ],
  "one thing where a list is meant": [
    `${service}  deployment: {docker: {configType: default}}\n  waitFor: {jobRunRef: {name: a}}\n`,
    ["8:3 spec.waitFor type"],
  ],
  "two problems in the order of their lines": [
    `${head}spec:\n  serviceId: a\n  projectId: b\n  deployment: {docker: {configType: default}}\n`,
    ["5:3 spec.serviceId minLength", "6:3 spec.projectId minLength"],
  ],
  "what kubectl get adds": [
    `${least}status: {}\n`.replace(
      "{name: migrate}",
      "\n  name: migrate\n  creationTimestamp: null\n  labels: null\n  generation: 3\n  managedFields: []\n",
    ),
    [],
  ],
  "a creation time that is none": [
    least.replace("{name: migrate}", "{name: migrate, creationTimestamp: yesterday}"),
    ["3:27 metadata.creationTimestamp format"],
  ],
  "a status that the schema does not know": [`${least}status: {ready: true}\n`, ["5:10 status.ready unknown-field"]],
};

/** How documents stand in a file. */
const layout: Readonly<Record<string, Row>> = {
  "several documents": [`${least}---\n${configMap}---\n${run}spec: {projectId: shop}\n`, ["14:1 spec.jobId required"], "other kinds"], // biome-ignore format: one thing
  "several documents of ours": [`${least}---\n${service}  deployment: {docker: {configType: default}}\n`, []],
  "empty documents and comments between": [`---\n# first\n---\n${least}---\n---\n# last\n`, []],
  "an end mark": [`${least}...\n---\n${least}...\n`, []],
  "a mark with a comment behind it": [`--- # Source: a.yaml\n${least}`, []],
  "a directive": [`%YAML 1.1\n---\n${least}`, ["1:1  syntax"]],
  "no line break at the end": [least.trimEnd(), []],
  "Windows line ends": [
    `${run}spec:\r\n  projectId: shop\r\n  sespend: true\r\n  jobId: migrate\r\n`,
    ["6:3 spec.sespend unknown-field"],
  ],
  "Windows line ends in every line": [spec.replaceAll("\n", "\r\n"), []],
  "a byte order mark": [`\uFEFF${least}`, []],
  "a byte order mark behind a separator, where files were joined": [
    `${least}---\n\uFEFF${service}  deployment: {docker: {configType: default}}\n`,
    [],
    "kubectl alone",
  ],
  "a byte order mark before a comment": [`# one\n---\n\uFEFF# two\n${least}`, [], "kubectl alone"],
  "byte order marks at both": [`\uFEFF# one\n--- # next\n\uFEFF${least}`, [], "kubectl alone"],
  "a byte order mark in the middle of a document": [
    `${run}\uFEFFspec: {projectId: shop, jobId: migrate}\n`,
    ["1:1 spec required", "4:1 [\uFEFFspec] unknown-field"],
  ],
  "line ends of an old Macintosh": [least.replaceAll("\n", "\r"), [], "kubectl alone"],
  "something behind a separator": [`${least}--- {a: b}\n`, ["5:1  syntax"], "kubectl alone"],
  "a separator with letters behind it": [`${least}---a\n`, ["5:1  syntax"], "kubectl alone"],
  "a separator with a comment behind it": [`${least}--- # next\n${least.replace("migrate}", "other}")}`, []],
  "no namespace, as a chart writes a value that is not set": [
    least.replace("{name: migrate}", '{name: migrate, namespace: ""}'),
    [],
  ],
  "empty fields of metadata": [
    least.replace("{name: migrate}", '{name: migrate, generateName: "", uid: "", resourceVersion: "", labels: null}'),
    [],
  ],
  "a name that is empty": [least.replace("{name: migrate}", '{name: ""}'), ["3:1 metadata object-name"]],
  "a list of documents": [`- ${least.replaceAll("\n", "\n  ")}\n`, ["1:1  type"], "kubectl alone"],
  "a list without apiVersion": [
    `kind: List\nitems:\n- ${least.replaceAll("\n", "\n  ")}\n`,
    ["1:1 apiVersion required"],
    "kubectl alone",
  ],
  "an anchor and its alias": [`${service}  deployment:\n    docker: &d {configType: default}\n    buildpack: *d\n`, []],
  "an anchor and a merge": [
    `${service}  deployment:\n    docker: &d {configType: default}\n    buildpack: {<<: *d}\n`,
    [],
  ],
  "a merge that is overridden": [
    `${service}  deployment:\n    docker: &d {configType: default}\n    buildpack:\n      <<: *d\n      configType: customProcess\n      customProcess: web\n`,
    [],
  ],
  "an anchor for text": [
    `${run}spec:\n  projectId: &p shop\n  jobId: migrate\n  runtimeEnvironment: {PROJECT: *p}\n`,
    [],
  ],
  "anchors in a field of their own": [
    `x-docker: &d {configType: default}\n${service}  deployment: {docker: *d}\n`,
    ["1:1 x-docker unknown-field"],
  ],
  "an alias of another document": [
    `${service}  deployment: {docker: &d {configType: default}}\n---\n${service}  deployment: {docker: *d}\n`,
    ["15:3 spec.deployment empty-deployment", "15:24 spec.deployment.docker alias"],
  ],
  "an alias of nothing": [`${spec}  billing: *b\n`, ["7:12 spec.billing alias"]],
  "a mistake inside an alias": [
    `${service}  deployment:\n    docker: &d {configTyp: default}\n    buildpack: *d\n`,
    [
      "8:5 spec.deployment.docker.configType required",
      "8:17 spec.deployment.buildpack.configTyp unknown-field",
      "8:17 spec.deployment.docker.configTyp unknown-field",
      "9:5 spec.deployment.buildpack.configType required",
    ],
  ],
  "a document that breaks off": [`${run}spec: {projectId: shop`, ["4:23  syntax"]],
  "a tab for indentation": [`${run}spec:\n\tprojectId: shop\n`, ["5:1  syntax"]],
  "a colon in text without quotes": [`${spec}  runtimeEnvironment:\n    A: b: c\n`, ["8:8  syntax"]],
  "a template that was not rendered": [
    `${run}spec:\n  projectId: shop\n  jobId: {{ .Values.job }}\n`,
    ["6:3 spec.jobId type", "6:11 spec.jobId key"],
  ],
  "a variable that was not replaced": [
    `${run}spec:\n  projectId: shop\n  jobId: \${job}\n`,
    ["6:3 spec.jobId pattern"],
  ],
  "a tag without meaning": [
    `${spec}  suspend: !wish true\n`,
    ["7:3 spec.suspend type", "7:18 spec.suspend tag"],
    "refused on purpose",
  ],
  "a list": [
    `apiVersion: v1\nkind: List\nitems:\n- apiVersion: northflank-operator.io/v1alpha1\n  kind: NorthflankJobRun\n  metadata: {name: a}\n  spec: {projectId: shop}\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n`,
    ["7:3 spec.jobId required"],
  ],
  "a good list": [
    `apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ""}\nitems:\n- ${least.replaceAll("\n", "\n  ")}\n- ${least.replaceAll("\n", "\n  ").replace("migrate}", "other}")}\n`,
    [],
  ],
  "a list of ours": [
    `apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankJobRunList\nitems:\n- apiVersion: northflank-operator.io/v1alpha1\n  kind: NorthflankJobRun\n  metadata: {name: a}\n  spec: {projectId: shop, jobId: migrate, sespend: true}\n`,
    ["7:43 spec.sespend unknown-field"],
  ],
  "a list without items": ["apiVersion: v1\nkind: List\nitems: []\n", [], "nothing in it"],
  "a list with a key twice in an item": [
    `apiVersion: v1\nkind: List\nitems:\n- ${run.replaceAll("\n", "\n  ")}spec: {projectId: shop, jobId: migrate, jobId: x12}\n`,
    ["7:43 spec.jobId duplicate-key"],
    "refused on purpose",
  ],
  "a list with a key twice": [
    `apiVersion: v1\nkind: List\nkind: List\nitems:\n- ${run.replaceAll("\n", "\n  ")}spec: {projectId: shop, jobId: migrate}\n`,
    ["3:1 kind duplicate-key"],
    "refused on purpose",
  ],
  "something else with a key twice": [configMap, [], "other kinds"],
  "something else altogether": ["- a\n- b\n---\njust text\n---\n5\n", [], "other kinds"],
  nothing: ["", [], "nothing in it"],
  "only comments": ["# nothing here\n---\n", [], "nothing in it"],
  "what kustomize prints": [fileText("kustomize-output.yaml"), [], "other kinds"],
  "what Helm renders": [fileText("helm-output.yaml"), []],
  "what Helm renders from values that were forgotten, or not quoted": [
    fileText("helm-output-with-mistakes.yaml"),
    [
      "13:5 metadata.labels[app.kubernetes.io/version] type",
      "29:5 metadata.labels[app.kubernetes.io/version] type",
      "38:7 spec.deployment.external.imagePath tag",
      "54:5 metadata.labels[app.kubernetes.io/version] type",
      "62:3 spec.resyncPeriodSeconds type",
      "76:5 spec.runtimeEnvironment.RELEASE type",
    ],
  ],
};

const jsonRun =
  '{"apiVersion": "northflank-operator.io/v1alpha1", "kind": "NorthflankJobRun", "metadata": {"name": "a"},\n ';

const jsonInLine = `${jsonRun.replace("\n ", "")}"spec":{"projectId":"shop","jobId":"migrate"}}`;

const json: Readonly<Record<string, Row>> = {
  "JSON: a run": [`${jsonRun}"spec": {"projectId": "shop", "jobId": "migrate"}}`, []],
  "JSON: indented with tabs": [`${jsonRun}"spec": {\n\t\t"projectId": "shop",\n\t\t"jobId": "migrate"\n\t}\n}\n`, []],
  "JSON: a misspelt field": [
    `${jsonRun}"spec": {"projectId": "shop", "jobId": "migrate", "sespend": true}}`,
    ["2:52 spec.sespend unknown-field"],
  ],
  "JSON: a field twice": [
    `${jsonRun}"spec": {"projectId": "shop", "jobId": "migrate", "jobId": "migrate"}}`,
    ["2:52 spec.jobId duplicate-key"],
  ],
  "JSON: a number as text": [
    `${jsonRun}"spec": {"projectId": "shop", "jobId": "migrate", "backoffLimit": "3"}}`,
    ["2:52 spec.backoffLimit type"],
  ],
  "JSON: a number with an exponent": [
    `${jsonRun}"spec": {"projectId": "shop", "jobId": "migrate", "backoffLimit": 1e1}}`,
    [],
  ],
  "JSON: null": [`${jsonRun}"spec": {"projectId": "shop", "jobId": "migrate", "suspend": null}}`, []],
  "JSON: an emoji as two escapes": [
    `${jsonRun}"spec": {"projectId": "shop", "jobId": "migrate", "runtimeEnvironment": {"A": "\\ud83d\\ude00\\/"}}}`,
    [],
  ],
  "JSON: a country": [
    `${jsonRun}"spec": {"projectId": "shop", "jobId": "migrate", "runtimeEnvironment": {"COUNTRY": "NO"}}}`,
    [],
  ],
  "JSON: that breaks off": [`${jsonRun}"spec": {"projectId": "shop"`, ["2:30  syntax"]],
  "JSON: a comma too much": [`${jsonRun}"spec": {"projectId": "shop", "jobId": "migrate",}}`, ["2:51  syntax"]],
  "JSON: a comment in it": [`${jsonRun}/* here */ "spec": {"projectId": "shop", "jobId": "migrate"}}`, ["2:2  syntax"]],
  "JSON: a comment before it": [`// a run\n${jsonInLine.replaceAll(": ", ":")}`, ["1:1  type"], "kubectl alone"],
  "JSON: a comment before it, and blanks": [`// a run\n${jsonInLine}`, ["1:1  syntax"], "kubectl alone"],
  "JSON: single quotes": [`${jsonRun}'spec': {"projectId": "shop", "jobId": "migrate"}}`, ["2:2  syntax"]],
  "JSON: names without quotes": [`${jsonRun}spec: {"projectId": "shop", "jobId": "migrate"}}`, ["2:2  syntax"]],
  "JSON: an escape that it does not know": [
    `${jsonRun}"spec": {"projectId": "sh\\x6fp", "jobId": "migrate"}}`,
    ["2:28  syntax"],
  ],
  "JSON: an array": [`[${jsonInLine}, ${jsonInLine}]`, ["1:1  type"], "kubectl alone"],
  "JSON: parted as YAML is": [`${jsonInLine}\n---\n${jsonInLine}\n`, ["2:1  syntax"], "kubectl alone"],
  "JSON: something behind it": [`${jsonInLine}x`, ["1:151  syntax"]],
  "JSON: in one line": [jsonInLine, []],
  "JSON: a list": [
    `{"apiVersion": "v1", "kind": "List", "items": [${jsonRun}"spec": {"projectId": "shop"}}]}`,
    ["2:2 spec.jobId required"],
  ],
  "JSON: two objects, one after the other": [
    `${jsonRun}"spec": {"projectId": "shop", "jobId": "migrate"}}\n${jsonRun}"spec": {"projectId": "shop"}}\n`,
    ["4:2 spec.jobId required"],
  ],
  "JSON: two objects in one line": [`${jsonInLine}${jsonInLine}`, []],
  "JSON: within YAML": [`---\n${jsonRun}"spec": {"projectId": "shop", "jobId": "migrate"}}\n---\n${least}`, []],
};

function fileText(name: string): string {
  return readFileSync(new URL(name, import.meta.url), "utf8");
}

/** Every text with its name. */
export const texts: Readonly<Record<string, Text>> = Object.fromEntries(
  Object.entries({ ...values, ...fields, ...layout, ...json }).map(([name, [text, findings, notAsked]]) => [
    name,
    { text, findings, ...(notAsked === undefined ? {} : { notAsked }) },
  ]),
);
