import { defineCommand, printReport, table } from "../command.js";
import { jsonOption, textOption } from "../options.js";

export const dataListCommand = defineCommand({
  command: "list",
  describe: "list the databases that are known, and which of them are there",
  builder: (yargs) =>
    yargs
      .option("root", { ...textOption("folder of the databases, as data.root"), default: "IQA_Database" })
      .option("json", jsonOption)
      .example("$0 data list", "names for data prepare and configs"),
  handler: async ({ root, ...options }) => {
    const [{ existsSync }, { join }, { KNOWN_DATABASES }] = await Promise.all([
      import("node:fs"),
      import("node:path"),
      import("../../data/databases/registry.js"),
    ]);
    const known = KNOWN_DATABASES.map(({ name, title, images, mosRange: range, folder, address }) => {
      const mosRange = range.every(Number.isFinite) ? range : null;
      return { name, title, images, mosRange, folder, address, isThere: existsSync(join(root, folder)) };
    });
    printReport(known, options, (databases) =>
      table([
        ["name", "images", "MOS", "folder", "there", "from"],
        ...databases.map(({ name, images, mosRange, folder, isThere, address }) => [
          ...[name, String(images), mosRange?.join(" to ") ?? "not known", folder, isThere ? "yes" : "no", address],
        ]),
      ]),
    );
  },
});
