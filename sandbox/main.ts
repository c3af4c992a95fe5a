import { once } from "node:events";
import { kinds } from "../src/api/kinds.ts";
import { controlPath } from "./northflank/control-api.ts";
import { defaultToken } from "./northflank/server.ts";
import type { LogLine } from "./operator-process.ts";
import { isPortTaken, readPort } from "./port.ts";
import { startSandbox } from "./start.ts";
import { stopSignal } from "./stop-signal.ts";

// npm run sandbox [-- --port 6443]: an in-memory Kubernetes API and an in-memory Northflank API with the operator
// between them, until Ctrl-C.

const asked = readPort(process.argv.slice(2));
if (typeof asked === "string") {
  console.error(
    `${asked}\n\nusage: npm run sandbox [-- --port PORT]    PORT of the Kubernetes API, by default a free one`,
  );
  process.exit(2);
}
const stopped = stopSignal();

console.log("starting ...");
await using sandbox = await startSandbox({
  kubernetesPort: asked,
  flags: ["--rollout-poll-interval=2s", "--run-poll-interval=2s", "--status-page"],
  onLog: (line) => console.log(describe(line)),
  signal: stopped,
}).catch((error: unknown) => {
  if (stopped.aborted) process.exit(0);
  if (!isPortTaken(error)) throw error;
  console.error(`port ${asked} is in use, maybe by another sandbox: name another one, or none for a free one`);
  process.exit(1);
});
const { kubernetes, northflank } = sandbox;
northflank.observer = (call) =>
  console.log(`  northflank  ${call.method} ${call.path} -> ${call.status ?? "no answer"}`);

const statusPage = await sandbox.operator.ready();

console.log(`
Status page      ${statusPage}/
Kubernetes API   ${kubernetes.url}
Northflank API   ${northflank.url}   (account acme, project shop, token ${defaultToken})
The operator is running; its log and every request to Northflank follow. Ctrl-C stops everything; nothing is kept.

In another terminal (this file is of this sandbox alone, and goes with it):

  export KUBECONFIG=${sandbox.kubeconfigPath}
  kubectl apply -f examples/
  kubectl get ${kinds.map(({ shortName }) => shortName).join(",")}

Change Northflank as a user or an outage would:

  curl ${northflank.url}${controlPath}                                        # all controls with an example each, and the settings
  curl ${northflank.url}${controlPath}/pauseService -d '["shop", "api", true]'
  curl ${northflank.url}${controlPath}/settings -X PATCH -d '{"updateResumes": true}'
`);

void sandbox.operator.exited.then((code) => console.log(`the operator ended with ${code}`));
if (!stopped.aborted) await once(stopped, "abort");
console.log("\nstopping ...");

function describe({ level, time: _time, msg, ...fields }: LogLine): string {
  const facts = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`,
  );
  return `  operator    ${level.padEnd(5)} ${msg}  ${facts.join(" ")}`;
}
