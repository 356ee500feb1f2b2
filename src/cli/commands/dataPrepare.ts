import { KNOWN_DATABASES } from "../../data/databases/registry.js";
import type { prepareDatabase } from "../../data/prepare/prepareDatabase.js";
import { defineCommand } from "../command.js";
import { flagOption, textOption, wholeNumberOption } from "../options.js";

const NAMES = KNOWN_DATABASES.map((database) => database.name);
const DATABASES = `${NAMES.slice(0, -1).join(", ")} or ${NAMES.at(-1) ?? ""}`;

export const dataPrepareCommand = defineCommand({
  command: "prepare <name>",
  describe: "make a known database's lists from its makers' own files",
  builder: (yargs) =>
    yargs
      .positional("name", { type: "string", demandOption: true, describe: DATABASES })
      .option("root", { ...textOption("folder of the databases, as data.root"), default: "IQA_Database" })
      .option("folder", textOption("the database's folder  [default: the known one]"))
      .option("seed", wholeNumberOption("seed", 0, "decides the splits  [default: 1]"))
      .option("splits", wholeNumberOption("splits", 1, "how many splits by content  [default: 10]"))
      .option("official", flagOption("the makers' own split alone (koniq10k)"))
      .example("$0 data prepare tid2013", "from IQA_Database/tid2013")
      .example("$0 data prepare koniq10k --folder /data/koniq-10k --official", ""),
  handler: async ({ name, root, folder, seed, splits, official }) => {
    const [{ prepareDatabase }, { packageVersion }] = await Promise.all([
      import("../../data/prepare/prepareDatabase.js"),
      import("../../base/packageInfo.js"),
    ]);
    const settings = { name, root, folder, seed: seed ?? 1, splits: splits ?? 10, isOfficial: official };
    const prepared = await prepareDatabase({ ...settings, version: packageVersion() });
    process.stdout.write(summary(name, settings.seed, prepared));
  },
});

function summary(name: string, seed: number, prepared: Awaited<ReturnType<typeof prepareDatabase>>): string {
  const { status, folder, images, contents, splits, distribution, wrongCount } = prepared;
  const by = distribution.official === undefined ? `70/10/20 by content, seed ${seed}` : "the makers' own";
  const lists = `${images} images of ${contents} contents, ${splits === 1 ? "1 split" : `${splits} splits`} (${by})`;
  return [
    `${name}: ${status === "made" ? "" : "already complete with the same files and settings: "}${lists}`,
    `  lists        ${folder}/splits2`,
    `  scores       ${distribution.scores}`,
    `  distortions  ${distribution.distortions}`,
    `  scenes       ${distribution.scenes}`,
    `  contents     ${distribution.contents}`,
    ...distribution.leftOut.map((row) => `  LEFT OUT     ${row}`),
    ...(wrongCount === null ? [] : [`  WARNING      ${wrongCount}: is all of it there?`]),
    "",
  ].join("\n");
}
