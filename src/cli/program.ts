import { type Config, describeFlags, parseConfig } from "../config.ts";
import { formatConfigProblem } from "../flags.ts";
import { revision, version } from "../version.ts";
import type { ExitCode, Io } from "./io.ts";

export interface ProgramInput {
  /** Without the names of the interpreter and the program. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly io: Io;
  readonly commands: Commands;
}

/** The commands that need more than text; they are passed in, so that the table below stays free of effects. */
export interface Commands {
  readonly run: (config: Config) => Promise<ExitCode>;
  readonly validate: (args: readonly string[], io: Io) => Promise<ExitCode>;
  readonly crds: (args: readonly string[], io: Io) => ExitCode;
  readonly import: (args: readonly string[]) => Promise<ExitCode>;
  readonly plan: (args: readonly string[]) => Promise<ExitCode>;
  readonly budget: (args: readonly string[]) => Promise<ExitCode>;
}

/** Runs one command of the command line and returns its exit code: 0 done, 1 the check failed, 2 wrong usage. */
export async function runProgram({ args, env, io, commands }: ProgramInput): Promise<ExitCode> {
  const [command, ...rest] = args;
  switch (command) {
    case "run":
      return runOperator({ args: rest, env, io, commands });
    case "validate":
      return commands.validate(rest, io);
    case "crds":
      return commands.crds(rest, io);
    case "import":
      return commands.import(rest);
    case "plan":
      return commands.plan(rest);
    case "budget":
      return commands.budget(rest);
    case "version":
    case "--version":
      io.out(`northflank-operator ${version} (${revision})\n`);
      return 0;
    case "help":
    case "--help":
    case "-h":
      io.out(usage);
      return 0;
    case undefined:
      io.err(usage);
      return 2;
    default:
      io.err(`northflank-operator: unknown command ${JSON.stringify(command)}\n\n${usage}`);
      return 2;
  }
}

const usage = `Keeps Northflank services and jobs as Kubernetes objects declare them.

usage: northflank-operator COMMAND

  run        run the operator in or against a cluster (run --help lists the flags)
  validate   check manifests offline: validate FILES|DIRS|- (validate --help lists the flags)
  plan       show what manifests would change at Northflank: plan FILES|DIRS|- (plan --help lists the flags)
  import     print manifests for what a Northflank project has (import --help lists the flags)
  budget     show who spends the hourly quota of Northflank (budget --help lists the flags)
  crds       print the CustomResourceDefinitions
  version    print the version

exit codes: 0 done, 1 the check failed, 2 wrong usage or configuration, 3 (plan only) something would change
`;

async function runOperator({ args, env, io, commands }: ProgramInput): Promise<ExitCode> {
  const result = parseConfig({ args, env });
  switch (result.kind) {
    case "help":
      io.out(`usage: northflank-operator run [FLAGS]

Each flag can be set by an environment variable: --api-url by NORTHFLANK_OPERATOR_API_URL. A flag takes precedence.
The operator-wide token can also be set by NORTHFLANK_API_TOKEN.

${describeFlags()}
`);
      return 0;
    case "problems":
      io.err(`northflank-operator run: the configuration is not valid\n`);
      for (const problem of result.problems) io.err(`  ${formatConfigProblem(problem)}\n`);
      return 2;
    case "config":
      return commands.run(result.config);
  }
}
