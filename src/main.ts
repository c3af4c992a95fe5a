import { randomUUID } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { runBudget } from "./cli/budget.ts";
import { runComplete } from "./cli/complete.ts";
import { runCrds } from "./cli/crds.ts";
import { runDiagnose } from "./cli/diagnose.ts";
import { runImport } from "./cli/import.ts";
import { invocationOf } from "./cli/invocation.ts";
import type { Io } from "./cli/io.ts";
import { decodeManifest } from "./cli/manifest-files.ts";
import { runPlan } from "./cli/plan.ts";
import { runProgram } from "./cli/program.ts";
import type { ToolDeps } from "./cli/remote.ts";
import { runValidate } from "./cli/validate.ts";
import { verbs } from "./cli/verbs/all.ts";
import { createLogger, standardOutput } from "./logger.ts";
import { runOperator } from "./operator/operator.ts";
import { systemClock } from "./util/clock.ts";

// The only file that touches the process: arguments, environment, standard streams, signals, exit code.

const io: Io = {
  out: (chunk) => process.stdout.write(chunk),
  err: (chunk) => process.stderr.write(chunk),
  isTerminal: process.stdout.isTTY === true,
  isErrorTerminal: process.stderr.isTTY === true,
  readStdin: async () => decodeManifest(await buffer(process.stdin)),
};

const toolDeps: ToolDeps = { env: process.env, io, clock: systemClock, random: Math.random };

// Whoever reads our output may have enough (`validate bad.yaml | head`): what follows is dropped, and the exit code of
// the command stands.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    const drop: typeof stream.write = () => true;
    stream.write = drop;
  });
}

process.exitCode = await runProgram({
  ...invocationOf(process.argv[1], process.argv.slice(2)),
  env: process.env,
  io,
  commands: {
    validate: (args, io) => runValidate(args, io, process.env),
    crds: runCrds,
    import: (args, io) => runImport(args, { ...toolDeps, io }),
    plan: (args, io) => runPlan(args, { ...toolDeps, io }),
    budget: (args, io) => runBudget(args, { ...toolDeps, io }),
    diagnose: (args, io) => runDiagnose(args, { ...toolDeps, io }),
    get: (args, io) => verbs.get.run(args, { ...toolDeps, io }),
    tree: (args, io) => verbs.tree.run(args, { ...toolDeps, io }),
    wait: (args, io) => verbs.wait.run(args, { ...toolDeps, io }),
    start: (args, io) => verbs.start.run(args, { ...toolDeps, io }),
    reconcile: (args, io) => verbs.reconcile.run(args, { ...toolDeps, io }),
    suspend: (args, io) => verbs.suspend.run(args, { ...toolDeps, io }),
    resume: (args, io) => verbs.resume.run(args, { ...toolDeps, io }),
    abort: (args, io) => verbs.abort.run(args, { ...toolDeps, io }),
    resolve: (args, io) => verbs.resolve.run(args, { ...toolDeps, io }),
    complete: (words, commands) => runComplete(words, commands, toolDeps),
    run: async (config) => {
      const format = config.logFormat ?? (io.isTerminal ? "pretty" : "json");
      const log = createLogger({ level: config.logLevel, format, destination: standardOutput() });
      // What gets this far was not expected: the state of the program is unknown, so it ends and starts anew.
      for (const event of ["uncaughtException", "unhandledRejection"] as const) {
        process.on(event, (error) => {
          log.error({ err: error }, "unexpected error, exiting");
          process.exit(1);
        });
      }
      const stop = new AbortController();
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        process.on(signal, () => {
          if (stop.signal.aborted) process.exit(1);
          log.info({ signal }, "stopping, second signal exits immediately");
          stop.abort(new Error(`${signal} was received`));
        });
      }
      const code = await runOperator({
        config,
        operatorToken: process.env.NORTHFLANK_API_TOKEN,
        identity: process.env.POD_NAME ?? process.env.HOSTNAME ?? "northflank-operator",
        nodeVersion: process.version,
        env: withoutToken(process.env),
        newId: randomUUID,
        clock: systemClock,
        random: Math.random,
        log,
        stop: stop.signal,
      });
      // A socket or timer that a library left behind must not keep a program alive that has given up its lease.
      process.exit(code);
    },
  },
});

/** What a credential plugin of the kubeconfig inherits: the token of Northflank is none of its business. */
function withoutToken({ NORTHFLANK_API_TOKEN: _, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return env;
}
