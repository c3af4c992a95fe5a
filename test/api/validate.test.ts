import fc from "fast-check";
import { expect, test } from "vitest";
import { formatProblem } from "../../src/api/problem.ts";
import { createValidator } from "../../src/api/validate.ts";
import { deployment, documents, jobRun } from "./documents.ts";
import { nearlyGood } from "./mutations.ts";

const validator = createValidator();

test.each(Object.entries(documents))("%s", (_, { object, old, problems }) => {
  expect(validator.validateManifest(plain(object), plain(old)).map(({ field, rule }) => `${field} ${rule}`)).toEqual(
    problems,
  );
});

/** As it comes out of a file: fields that are undefined are not there. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

test("any JSON gets a verdict, the same one each time", () => {
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), nearlyGood), (value) => {
      const once = validator.validateManifest(value);
      expect(validator.validateManifest(value)).toEqual(once);
      for (const kind of ["NorthflankJobRun", "NorthflankDeployment", "NorthflankConnection", "__proto__"]) {
        expect(validator.validateSpec(kind, value)).toBeInstanceOf(Array);
      }
    }),
  );
});

test("no value of a variable or a file gets into a message", () => {
  const spec = {
    projectId: "hunter2!",
    runtimeEnvironment: { A: "hunter2\u0000", B: { hunter2: "hunter2" } },
    runtimeFiles: { "/a": { data: "hunter2!", encoding: "hunter 2" }, "/b": "hunter2" },
  };
  const problems = validator.validateSpec("NorthflankJobRun", spec);
  expect(problems.length).toBeGreaterThan(4);
  expect(problems.map(formatProblem).join()).not.toContain("hunter2");
});

test("the spec of an object that is in the cluster may hold fields of a newer schema, a manifest may not", () => {
  const object = deployment({ fancy: true });
  expect(validator.validateSpec("NorthflankDeployment", object.spec)).toEqual([]);
  expect(validator.validateManifest(object).map(formatProblem)).toHaveLength(1);
});

const build = (internal: object) => deployment({ deployment: { internal } });
const file = (data: string) => jobRun({ runtimeFiles: { "/etc/app.yaml": { data } } });

test("what a template left unreplaced is said once, whatever its length", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what people write.
  for (const projectId of ["$A", "${A}", `{{ ${"a".repeat(60)} }}`]) {
    expect(validator.validateManifest(plain(jobRun({ projectId })))).toMatchObject([{ field: "spec.projectId" }]);
  }
});

test.each<[object, string]>([
  [jobRun({ sespend: true }), 'spec.sespend: is not a field (did you mean "suspend"?)'],
  [jobRun({ startGuarantee: "atmostonce" }), '(did you mean "AtMostOnce"?)'],
  [jobRun({ backoffLimit: "3" }), "spec.backoffLimit: must be a whole number, not a string (write it without quotes)"],
  [
    jobRun({ backoffLimit: "three" }),
    "must be a whole number, not a string (expected: Number of retries after a failed",
  ],
  [jobRun({ activeDeadlineSeconds: "900" }), "must be a whole number, not a string (write it without quotes)"],
  [jobRun({ activeDeadlineSeconds: "15m" }), "spec.activeDeadlineSeconds: must be a number of seconds, such as 900\n"],
  [jobRun({ ttlSecondsAfterFinished: "1h30m" }), "must be a number of seconds, such as 5400\n"],
  [jobRun({ startDeadlineSeconds: "10 minutes" }), "must be a number of seconds, such as 900\n"],
  [jobRun({ deployment: { storage: { shmSize: "512Mi" } } }), ".shmSize: must be a number of MiB, such as 512\n"],
  [jobRun({ deployment: { storage: { shmSize: "1.5GiB" } } }), "must be a number of MiB, such as 1536\n"],
  [jobRun({ deployment: { storage: { shmSize: "1g" } } }), "must be a number of MiB, such as 954\n"],
  [jobRun({ deployment: { storage: { shmSize: "64 megs" } } }), "must be a number of MiB, such as 1024\n"],
  [jobRun({ suspend: "true" }), "must be true or false, not a string (write it without quotes)"],
  [jobRun({ suspend: "yes" }), "must be true or false, not a string (write true)"],
  [jobRun({ suspend: "Off" }), "must be true or false, not a string (write false)"],
  [jobRun({ suspend: 1 }), "must be true or false, not a whole number (write true)"],
  [jobRun({ suspend: "maybe" }), "must be true or false, not a string (expected: True before the start"],
  [jobRun({ runtimeEnvironment: { PORT: 80 } }), "must be a string, not a whole number (put it in quotes)"],
  [jobRun({ jobId: undefined }), "spec.jobId: is required (add it)"],
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: this is what people write.
  [
    jobRun({ jobId: "${JOB}" }),
    'spec.jobId: contains "${JOB}", which a template engine or CI left unreplaced; render the file before it is applied',
  ],
  [jobRun({ jobId: "$JOB_ID" }), 'spec.jobId: contains "$JOB_ID", which'],
  [jobRun({ projectId: "{{ .Values.project }}" }), 'spec.projectId: contains "{{ .Values.project }}", which'],
  [jobRun({ projectId: `\${{ vars.${"PROJECT".repeat(9)} }}` }), "spec.projectId: contains text such as"],
  [deployment({ serviceId: "<service>" }), 'spec.serviceId: contains "<service>", which'],
  [build({ branch: "feature/${BRANCH}" }), 'spec.deployment.internal.branch: contains "${BRANCH}", which'],
  [build({ branch: "{{.Values.branch}}" }), 'spec.deployment.internal.branch: contains "{{.Values.branch}}", which'],
  [build({ buildSHA: "${{ github.sha }}" }), 'spec.deployment.internal.buildSHA: contains "${{ github.sha }}", which'],
  [build({ buildSHA: "$GITHUB_SHA" }), 'spec.deployment.internal.buildSHA: contains "$GITHUB_SHA", which'],
  [build({ buildId: "$(Build.BuildId)" }), 'spec.deployment.internal.buildId: contains "$(Build.BuildId)", which'],
  [build({ id: "${BUILDER}" }), 'spec.deployment.internal.id: contains "${BUILDER}", which'],
  [
    jobRun({ backoffLimit: "${RETRIES}" }),
    "spec.backoffLimit: must be a whole number, not a string (a template engine or CI",
  ],
  [jobRun({}, { metadata: { name: "migrate-${SHA}" } }), 'metadata.name: contains "${SHA}", which'],
  [jobRun({ runtimeEnvironment: { "${NAME}": "x" } }), 'the key contains "${NAME}", which'],
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: this is what people write.
  [
    file(`${"QUJD".repeat(19)}\n${"QUJD".repeat(5)}\n`),
    ".data: is base64 with line breaks or blanks in it; remove them",
  ],
  [
    file(`${"QUJD".repeat(16)} ${"QUJD".repeat(16)} QQ==`),
    ".data: is base64 with line breaks or blanks in it; remove them",
  ],
  [file("QUJDRA==\n"), ".data: is base64 with line breaks or blanks in it; remove them"],
  [file("_-8="), ".data: is base64 for URLs; write + and / in place of - and _"],
  [file("hello world"), ".data: is not base64; encode the content"],
  [jobRun({ jobId: "a_b" }), "spec.jobId: has the wrong form (expected: ID of the Northflank job)"],
  [
    jobRun({ runtimeEnvironment: { "a=b": "" } }),
    "spec.runtimeEnvironment[a=b]: the key has the wrong form (must match ",
  ],
  [
    jobRun({}, { kind: "NorthflankJobRuns" }),
    '"NorthflankJobRuns" is not a kind of northflank-operator.io (did you mean',
  ],
])("says what to do: %j", (object, text) => {
  const lines = validator.validateManifest(plain(object)).map((problem) => `${formatProblem(problem)}\n`);
  expect(lines.join("")).toContain(text);
});
