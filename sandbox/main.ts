import { parseArgs } from "node:util";
import { controlPath } from "./northflank/control-api.ts";
import { defaultToken } from "./northflank/server.ts";
import type { LogLine } from "./operator-process.ts";
import { startSandbox } from "./start.ts";

// npm run sandbox [-- --port 6443]: an in-memory Kubernetes API and an in-memory Northflank API with the operator
// between them, until Ctrl-C.

const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
const stopped = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
});

console.log("starting ...");
await using sandbox = await startSandbox({
  kubernetesPort: Number(values.port),
  flags: ["--rollout-poll-interval=2s", "--run-poll-interval=2s"],
  onLog: (line) => console.log(describe(line)),
});
const { kubernetes, northflank } = sandbox;
northflank.observer = (call) =>
  console.log(`  northflank  ${call.method} ${call.path} -> ${call.status ?? "no answer"}`);

console.log(`
Kubernetes API   ${kubernetes.url}
Northflank API   ${northflank.url}   (account acme, project shop, token ${defaultToken})
The operator runs; its log and every request to Northflank follow. Ctrl-C ends it all; nothing is kept.

In another terminal (this file is of this sandbox alone, and goes with it):

  export KUBECONFIG=${sandbox.kubeconfigPath}
  kubectl apply -f examples/
  kubectl get nfdeploy,nfrun,nfconn

What people and bad luck do to Northflank, for example:

  curl ${northflank.url}${controlPath}                                        # names of all controls, and the settings
  curl ${northflank.url}${controlPath}/pauseService -d '["shop", "api", true]'
  curl ${northflank.url}${controlPath}/settings -X PATCH -d '{"updateResumes": true}'
`);

void sandbox.operator.exited.then((code) => console.log(`the operator ended with ${code}`));
await stopped;
console.log("\nstopping ...");

function describe({ level, time: _time, msg, ...fields }: LogLine): string {
  const facts = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`,
  );
  return `  operator    ${level.padEnd(5)} ${msg}  ${facts.join(" ")}`;
}
