import { Argument, Command, CommanderError } from "commander";
import { type Config, describeFlags, parseConfig } from "../config.ts";
import { formatConfigProblem } from "../flags.ts";
import { revision, version } from "../version.ts";
import { type CommandDescription, commandGroups } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { completionScript, type Shell, shells } from "./completion-scripts.ts";
import { completeCommand, namedIo, programName } from "./invocation.ts";
import type { ExitCode, Io } from "./io.ts";
import { plainLine } from "./printable.ts";

export interface ProgramInput {
  /** Without the names of the interpreter and the program. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly io: Io;
  readonly commands: Commands;
  /** What a user typed for the program: `kubectl northflank`. Default: its own name. */
  readonly invokedAs?: string;
}

type Run<Result> = (args: readonly string[], io: Io) => Result;

/** The commands that need more than text; they are passed in, so that what is here stays free of effects. */
export type Commands = Readonly<Record<Exclude<CommandName, "run" | "crds" | OwnCommand>, Run<Promise<ExitCode>>>> & {
  readonly run: (config: Config) => Promise<ExitCode>;
  readonly crds: Run<ExitCode>;
  /** Completes words; missing: there is nothing to complete. */
  readonly complete?: (words: readonly string[], commands: readonly CommandDescription[]) => Promise<ExitCode>;
};

type CommandName = (typeof commandTable)[number]["name"];
type OwnCommand = "completion" | "version" | "help";

/** Runs one command of the command line and returns its exit code: 0 done, 1 the check failed, 2 wrong usage. */
export async function runProgram(input: ProgramInput): Promise<ExitCode> {
  const { args, invokedAs = programName } = input;
  const isHelp = args.includes("--help") || args.includes("-h") || args[0] === "help";
  const io = namedIo(input.io, { invokedAs, commands: commandTable.map(({ name }) => name), isHelp });
  if (args[0] === completeCommand) return (await input.commands.complete?.(args.slice(1), commandTable)) ?? 0;
  const started = { ...input, io, invokedAs };
  // A command reads its arguments by itself: all of them, in their order.
  const own = commandTable.find(({ name }) => name === args[0])?.name;
  if (own !== undefined && !isOurs(own)) return runCommand(own, started);
  let code: ExitCode = 0;
  const program = createProgram(started, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    // Commander ends by this error after it has printed what was asked for, or what is wrong.
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
}

type Started = ProgramInput & { readonly invokedAs: string };

async function runCommand(name: Exclude<CommandName, OwnCommand>, started: Started): Promise<ExitCode> {
  const args = started.args.slice(1);
  return name === "run" ? runOperator(started, args) : await started.commands[name](args, started.io);
}

function isOurs(name: CommandName): name is OwnCommand {
  return name === "completion" || name === "version" || name === "help";
}

/** The commands of the table for commander: what is none of them, what they are, and those that print text of ours. */
function createProgram(input: Started, end: (code: ExitCode) => void): Command {
  const { io, invokedAs } = input;
  const program = new Command(invokedAs)
    .usage("COMMAND")
    .description("Keeps Northflank services and jobs as Kubernetes objects declare them.")
    .helpOption("-h, --help", "print the help")
    .version(versionLine, "--version", "print the version")
    .helpCommand(false)
    .enablePositionalOptions()
    .showHelpAfterError()
    .exitOverride()
    .configureHelp({ helpWidth: 120, subcommandTerm: (command) => command.name(), styleTitle: lowerCase })
    .configureOutput({
      writeOut: io.out,
      writeErr: io.err,
      outputError: (text, write) => write(`${invokedAs}: ${shownError(text)}\n`),
    })
    .addHelpText("after", helpEnd(invokedAs));
  for (const group of commandGroups) {
    for (const each of commandTable.filter((command) => command.group === group)) addCommand(program, each, input, end);
  }
  return program;
}

function addCommand(
  program: Command,
  { name, group, summary }: (typeof commandTable)[number],
  input: Started,
  end: (code: ExitCode) => void,
): void {
  const { io } = input;
  const command = program.command(name).helpGroup(`${group}:`).summary(summary).description(summary);
  switch (name) {
    case "version":
      command.action(() => io.out(`${versionLine}\n`));
      return;
    case "completion":
      command
        .addArgument(new Argument("SHELL").choices(shells).argRequired())
        .usage("bash|zsh|fish")
        .addHelpText("after", completionHelp)
        .action((shell: Shell) => io.out(completionScript(shell)));
      return;
    case "help":
      command.argument("[COMMAND]").action(async (topic: string | undefined) => {
        const isKnown = topic === undefined || commandTable.some((each) => each.name === topic);
        const words = topic === undefined ? [] : [topic];
        end(await runProgram({ ...input, args: isKnown ? [...words, "--help"] : words }));
      });
      return;
    default:
      // It is here to be listed: only something in front of it, such as `--`, leads to it.
      command
        .allowUnknownOption()
        .allowExcessArguments()
        .action(() => program.help({ error: true }));
  }
}

const versionLine = `${programName} ${version} (${revision})`;

const lowerCase = (title: string) => title.toLowerCase();

/** An unknown command is untrusted text, and the value of an unknown flag may be a secret. A second line is a suggestion. */
function shownError(text: string): string {
  return text
    .trim()
    .replace(/^error: /, "")
    .replace(/^unknown option '(--[^=']*|-.).*$/s, "unknown flag $1")
    .split("\n")
    .map(plainLine)
    .join(" ");
}

const helpEnd = (invokedAs: string) => `
The flags of a command: ${invokedAs} COMMAND --help

exit codes: 0 done, 1 the check failed, 2 wrong usage or configuration, 3 (plan only) something would change`;

const completionHelp = `
bash   source <(northflank-operator completion bash)
zsh    source <(northflank-operator completion zsh)
fish   northflank-operator completion fish | source

kubectl northflank is completed by kubectl's own completion, if kubectl_complete-northflank is on the PATH.`;

async function runOperator({ env, io, commands, invokedAs }: Started, args: readonly string[]): Promise<ExitCode> {
  const result = parseConfig({ args, env });
  switch (result.kind) {
    case "help":
      io.out(`usage: ${invokedAs} run [FLAGS]

Each flag can be set by an environment variable: --api-url by NORTHFLANK_OPERATOR_API_URL. A flag takes precedence.
The operator-wide token can also be set by NORTHFLANK_API_TOKEN.

${describeFlags()}
`);
      return 0;
    case "problems":
      io.err(`${invokedAs} run: the configuration is not valid\n`);
      for (const problem of result.problems) io.err(`  ${formatConfigProblem(problem)}\n`);
      return 2;
    case "config":
      return commands.run(result.config);
  }
}
