import path from "node:path";
import { ConfigError } from "../../base/errors.js";
import { defineCommand } from "../command.js";
import { flagOption, textOption } from "../options.js";

export const initCommand = defineCommand({
  command: "init <path>",
  describe: "write a config that trains on a folder or list of yours",
  builder: (yargs) =>
    yargs
      .positional("path", {
        type: "string",
        demandOption: true,
        describe: "a list of scores, a database's folder, or a folder of databases",
      })
      .option("out", textOption("the config to write  [default: <name>.yaml in the current folder]"))
      .option("images", textOption("the folder of a list's images  [default: looked for beside the list]"))
      .option("force", flagOption("replace a config that is there"))
      .example("$0 init mine/scores.csv --out mine.yaml", "one list, to be split 70/10/20")
      .example("$0 init IQA_Database", "joint training on all databases there"),
  handler: async ({ path: given, out, images, force }) => {
    const [{ initialConfig }, { existsSync }, { writeNamedFile }] = await Promise.all([
      import("../../api/init/initConfig.js"),
      import("node:fs"),
      import("../../base/folders.js"),
    ]);
    const { name, text, found, warnings } = await initialConfig(given, images, out && path.parse(out).name);
    const file = out ?? `${name}.yaml`;
    if (existsSync(file) && !force) {
      throw new ConfigError(`${file}: is there already; name another file by --out, or replace it by --force`);
    }
    await writeNamedFile(file, text);
    for (const line of warnings) process.stderr.write(`${line}\n`);
    process.stdout.write(
      [
        ...found,
        `${file} written. Next:`,
        `  liqe data check --config ${file}    look for missing, damaged and doubled images`,
        `  liqe train --config ${file}`,
        "",
      ].join("\n"),
    );
  },
});
