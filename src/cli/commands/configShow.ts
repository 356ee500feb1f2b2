import type { ShownKey } from "../../api/showConfig.js";
import { wrapText } from "../../base/text.js";
import { defineCommand, outputColumns, printReport } from "../command.js";
import { jsonOption, listOption } from "../options.js";

export const configShowCommand = defineCommand({
  command: "show <file>",
  describe: "show every key of a config: value, default, meaning",
  builder: (yargs) =>
    yargs
      .positional("file", { type: "string", demandOption: true, describe: "a path, or a name from configs/" })
      .option("set", { ...listOption("change the config, as in --set train.epochs=2"), nargs: 1 })
      .option("json", jsonOption)
      .example("$0 config show kadid --set train.epochs=2", "what it would train"),
  handler: async ({ file, set, ...options }) => {
    const { showConfig } = await import("../../api/showConfig.js");
    printReport(showConfig(file, set), options, (keys) => keys.map(describeKey).join(""));
  },
});

function describeKey({ key, value, default: usual, meaning }: ShownKey): string {
  const given = JSON.stringify(value);
  const isUsual = JSON.stringify(usual) === given;
  const note = usual === undefined ? "" : isUsual ? "  (default)" : `  (default: ${JSON.stringify(usual)})`;
  return `${key}: ${given}${note}\n${meaning === null ? "" : `${wrapText(`    ${meaning}`, outputColumns(), 4)}\n`}`;
}
