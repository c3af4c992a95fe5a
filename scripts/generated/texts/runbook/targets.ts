import type { Reason } from "../../../../src/api/reasons.ts";
import { describe, logsOfObject, type Remedy, reconcile, setField } from "./entry.ts";

/** Reasons of specs and targets. */
export const targets = {
  InvalidSpec: {
    means:
      "The stored spec breaks a rule. The API server rejects most of these; one that is stored was written before the CRD had the rule, or the rule needs more than the CRD can check.",
    check: [
      "The message has field and rule. The same check for a file, without a cluster:",
      [...describe("nfdeploy"), "northflank-operator validate FILE"],
    ],
    act: [
      "Correct the field in Git or with `kubectl edit`. The change is reconciled at once. Of a NorthflankJobRun only `suspend`, `abort`, `ttlSecondsAfterFinished` and `deletionPolicy` can be changed: create another run.",
    ],
    otherwise:
      "Nothing is sent for the object, and it is not checked again until it changes. Northflank keeps what it has.",
  },
  TargetNotFound: {
    means: "Northflank answered 404: the project, service or job does not exist, or the token cannot see it.",
    check: [
      "The IDs, which are those of the URL in Northflank and not the displayed names, and the team of the connection:",
      [
        "kubectl get nfdeploy/NAME -n NAMESPACE -o jsonpath='{.spec.projectId}/{.spec.serviceId}{.spec.jobId}'",
        "kubectl get nfconn/CONNECTION -n NAMESPACE -o jsonpath='{.spec.teamId}'",
      ],
    ],
    act: [
      "Create the target in Northflank, or correct `spec.projectId`, `spec.serviceId`, `spec.jobId` or `spec.teamId`. The operator never creates services or jobs.",
      reconcile("nfdeploy"),
    ],
    otherwise:
      "It is checked after 15 s, then at longer intervals of up to 5 min, so that a target that is created by the same commit is found. If Northflank removed the call (410), about once an hour.",
  },
  RequestRejected: {
    means:
      "Northflank refused the request for what it contains (400, 409, 413, 422). The message has its answer and the fields.",
    check: [describe("nfdeploy", "nfjob", "nfrun"), "For 409: what else changes the target at the same time."],
    act: [
      "Change the spec as the answer says. A NorthflankJobRun cannot be changed: correct the job in Northflank and request a reconcile, or create another run.",
      reconcile("nfrun"),
    ],
    otherwise:
      "The same request would be refused again: a deployment or job is tried about once an hour (409: after a minute, then at longer intervals), a run is never started by itself.",
  },
  RemoteMisconfigured: {
    means:
      "What answers under the API address is not the Northflank API: a redirect, an HTML page, 405, a wrong content type or a TLS error. Often a proxy, a login page or a wrong `spec.apiURL`.",
    check: [
      ["kubectl get nfconn -A -o custom-columns=NS:.metadata.namespace,NAME:.metadata.name,URL:.spec.apiURL"],
      "From a pod of the cluster:",
      ["kubectl run curl --rm -it --restart=Never --image=curlimages/curl -- -sSI https://api.northflank.com/v1/auth"],
    ],
    act: [
      "Correct `spec.apiURL`, `--api-url`, or the proxy (`HTTPS_PROXY`, `NO_PROXY`). For TLS: mount the CA bundle of the proxy and set `NODE_EXTRA_CA_CERTS`.",
      reconcile("nfconn"),
    ],
    otherwise: "Nothing is sent or read. It is checked after a minute, then at longer intervals of up to an hour.",
  },
  UnsupportedTarget: {
    means:
      "The target cannot take what is declared: a build service, an external image for a combined service, settings of another type of job, or a call that Northflank has removed.",
    check: [describe("nfdeploy", "nfjob"), "The message names the type of the target and what to declare instead."],
    act: ["Name another target, or declare what the message names. The change is reconciled at once."],
    otherwise: "Nothing is written. The target is checked about once an hour.",
  },
  TargetConflict: {
    means:
      "An older object of the same kind manages the same service or job. The older one has it; this object has no effect.",
    check: [
      "The message names the owner. All objects with their targets:",
      [
        "kubectl get nfdeploy,nfjob -A -o custom-columns=KIND:.kind,NS:.metadata.namespace,NAME:.metadata.name,PROJECT:.spec.projectId,SERVICE:.spec.serviceId,JOB:.spec.jobId,CREATED:.metadata.creationTimestamp",
      ],
    ],
    act: [
      "Delete one of the two. If this object is to take over, delete the older one: deletion does not change the service, and this object takes over at once. To keep both, let one of them observe:",
      [setField("nfdeploy", "managementPolicy", '"Observe"')],
    ],
    otherwise: "The older object continues to manage the target. What this object declares is never sent.",
  },
  ContinuousDeploymentEnabled: {
    means:
      "A fixed build is declared (`buildId` or `buildSHA`), and continuous deployment of Northflank is enabled, so that the next build replaces it. As the reason of Stalled, `spec.continuousDeployment` is `Reject`; otherwise it is a warning.",
    check: [describe("nfdeploy"), "In Northflank, whether continuous deployment of the service is enabled."],
    act: [
      "Decide who deploys. The operator: disable continuous deployment in Northflank. Northflank: declare `buildSHA: latest`. To accept it without a warning, set `spec.continuousDeployment: Ignore`.",
    ],
    otherwise:
      "With `Reject` nothing is written. With `Warn` the next build replaces the declared one, the operator corrects that as drift, and after three corrections the object is [FightDetected](#fightdetected).",
  },
  FightDetected: {
    means:
      "Another client reverted the target after each of three corrections in a row: a pipeline, a template, continuous deployment, a second operator. The operator has stopped correcting it.",
    check: [
      "What differs, and the corrections with their times:",
      [
        ...describe("nfdeploy"),
        "kubectl get nfdeploy/NAME -n NAMESPACE -o jsonpath='{.status.pendingChanges} {.status.changes}'",
      ],
      "In Northflank, the audit log of the project: who changes the service.",
    ],
    act: [
      "Stop the other client, or remove the setting from the manifest. Then request a reconcile, which sends it once more (at most every 10 min):",
      reconcile("nfdeploy"),
    ],
    otherwise:
      "The target keeps what the other client writes. It is read within an hour; if it is as declared by then, the object becomes Ready.",
  },
  ChangeNotKept: {
    means:
      "Northflank accepted a change twice, the second time this part alone, and does not return it. It is not sent again.",
    check: [
      "Which part, and what Northflank returns:",
      ["kubectl get nfdeploy/NAME -n NAMESPACE -o jsonpath='{.status.pendingChanges}'"],
      "In Northflank, whether the setting exists for this type of service and plan.",
    ],
    act: [
      "Set it in Northflank by hand, or remove or change it in the spec. To send it once more:",
      reconcile("nfdeploy", "nfjob"),
    ],
    otherwise:
      "The rest of the change is in force, this part is not. It is read after a minute, then at longer intervals of up to an hour; if it appears, the object becomes Ready.",
  },
  DriftObserved: {
    means:
      "Northflank differs from what is declared, and `spec.managementPolicy` does not allow the write. The object is Ready; `InSync` is False.",
    check: [
      [
        "kubectl get nfdeploy,nfjob -A -o jsonpath='{range .items[?(@.status.pendingChanges)]}{.metadata.namespace}/{.metadata.name} {.status.pendingChanges}{\"\\n\"}{end}'",
      ],
    ],
    act: [
      "If the difference is wanted, declare it. If not, allow the operator to correct it (under `EnforceOnChange`, any change of the spec sends it once):",
      [setField("nfdeploy", "managementPolicy", '"Enforce"')],
    ],
    otherwise: "The difference stays, and is compared again at each drift check.",
  },
  StatusNotStored: {
    means:
      "The API server accepted a write and did not store a field of status, or refused the annotation of a start. Without it, a change or a start could be sent twice, so nothing is sent. Causes: CRDs older than the operator, a webhook, an admission policy, annotations of more than 256 KiB.",
    check: [
      "Whether the CRDs are those of this release, and which webhooks and policies apply:",
      [
        "kubectl get crd -l northflank-operator.io/schema-version -L northflank-operator.io/schema-version",
        "kubectl get mutatingwebhookconfigurations,validatingadmissionpolicies",
      ],
    ],
    act: [
      "Apply the CRDs of this release, and exclude the kinds of the operator from the webhook or policy. Then request a reconcile:",
      ["npx --yes northflank-operator crds | kubectl apply --server-side -f -", ...reconcile("nfdeploy", "nfrun")],
    ],
    otherwise: "Nothing is sent for the object. It is tried about once an hour.",
  },
  ReconcileFailed: {
    means:
      "The reconcile of the object threw an exception, or the API server rejected its status (422). It appears as an Event, because a status may not be writable.",
    check: ["The log lines of the object, which have the details:", [logsOfObject]],
    act: [
      "If the message names the CRDs, apply those of this release. Otherwise it is a bug: report it with the log lines, or with `northflank-operator diagnose`.",
      ["npx --yes northflank-operator crds | kubectl apply --server-side -f -"],
    ],
    otherwise:
      "The object is retried with back-off of up to 15 min, and keeps its last status. Other objects are not affected.",
  },
} as const satisfies Partial<Readonly<Record<Reason, Remedy>>>;
