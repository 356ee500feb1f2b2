/** Commands of `liqe`. A call loads its own command's file alone, the list of commands no handler's. */
import type { Argv } from "yargs";
import type { Command } from "./command.js";

type Entry = { readonly name: string; readonly load: () => Promise<Command> };

const COMMANDS: readonly Entry[] = [
  { name: "train", load: async () => (await import("./commands/train.js")).trainCommand },
  { name: "launch", load: async () => (await import("./commands/launch.js")).launchCommand },
  { name: "init", load: async () => (await import("./commands/init.js")).initCommand },
  { name: "evaluate", load: async () => (await import("./commands/evaluate.js")).evaluateCommand },
  { name: "predict", load: async () => (await import("./commands/predict.js")).predictCommand },
  { name: "compare", load: async () => (await import("./commands/compare.js")).compareCommand },
  { name: "serve", load: async () => (await import("./commands/serve.js")).serveCommand },
  { name: "export", load: async () => (await import("./commands/export.js")).exportCommand },
  group("weights", "list, inspect, convert and fetch weight files", async () => {
    const commands = await import("./commands/weights.js");
    const { weightsListCommand, weightsInspectCommand, weightsConvertCommand, weightsFetchCommand } = commands;
    return [weightsListCommand, weightsInspectCommand, weightsConvertCommand, weightsFetchCommand];
  }),
  group("data", "list, describe, prepare, check, split, convert and make databases", async () => {
    const [{ dataListCommand }, { dataDescribeCommand }, { dataPrepareCommand }, { dataSynthesizeCommand }] =
      await Promise.all([
        import("./commands/dataList.js"),
        import("./commands/dataDescribe.js"),
        import("./commands/dataPrepare.js"),
        import("./commands/dataSynthesize.js"),
      ]);
    const [{ dataCheckCommand }, { dataSplitCommand }, { dataConvertCommand }] = await Promise.all([
      import("./commands/dataCheck.js"),
      import("./commands/dataSplit.js"),
      import("./commands/dataConvert.js"),
    ]);
    const known = [dataListCommand, dataDescribeCommand, dataPrepareCommand, dataCheckCommand];
    return [...known, dataSplitCommand, dataConvertCommand, dataSynthesizeCommand];
  }),
  { name: "runs", load: async () => (await import("./commands/runs.js")).runsCommand },
  { name: "report", load: async () => (await import("./commands/runs.js")).reportCommand },
  group("config", "explain a config", async () => [(await import("./commands/configShow.js")).configShowCommand]),
  group("engine", "show which engine computes, and install one", async () => {
    const { engineStatusCommand, engineInstallCommand } = await import("./commands/engine.js");
    return [engineStatusCommand, engineInstallCommand];
  }),
];

export const COMMAND_NAMES: readonly string[] = COMMANDS.map(({ name }) => name);

/** Command that `args` begins with; all of them, for the help, where it begins with none. */
export async function commandsFor(args: readonly string[]): Promise<readonly Command[]> {
  const called = COMMANDS.filter(({ name }) => name === args[0]);
  return Promise.all((called.length > 0 ? called : COMMANDS).map(({ load }) => load()));
}

/** Commands under one word, `liqe data check` and `liqe data synthesize`, loaded where that word is called. */
function group(name: string, describe: string, load: () => Promise<readonly Command[]>): Entry {
  const builder = async (yargs: Argv) => {
    const commands = await load();
    const names = commands.map(({ command }) => command.split(" ", 1)[0]).join(", ");
    return commands
      .reduce((parent, { register }) => register(parent), yargs)
      .demandCommand(1, `which one? ${names}`)
      .epilogue(`liqe ${name} COMMAND --help has each command's options and an example.`);
  };
  const spec = { command: name, describe, builder, handler: () => {} };
  return { name, load: () => Promise.resolve({ ...spec, register: (parent) => parent.command(spec) }) };
}
