import type { SynthesisResult } from "../../data/synthesis/synthesizeDatabase.js";
import { defineCommand } from "../command.js";
import { megapixelsOption, requiredOption, textOption, wholeNumberOption } from "../options.js";

const PHOTOGRAPHS = "a folder of undistorted photographs, 224 pixels a side or more, three at least";

export const dataSynthesizeCommand = defineCommand({
  command: "synthesize",
  describe: "make a database of distorted photographs with proxy scores",
  builder: (yargs) =>
    yargs
      .option("photos", requiredOption(PHOTOGRAPHS))
      .option("scenes", textOption("their scenes: path, scene1, scene2, scene3 (TSV)"))
      .option("out", requiredOption("the database's folder"))
      .option("seed", wholeNumberOption("seed", 0, "decides all that is random  [default: 1]"))
      .option("contents", wholeNumberOption("contents", 1, "how many of the photographs  [default: all]"))
      .option("levels", wholeNumberOption("levels", 1, "how many levels of each type, 1 to 5  [default: 5]"))
      .option("splits", wholeNumberOption("splits", 1, "how many splits by content  [default: 10]"))
      .option("per-content", wholeNumberOption("per-content", 1, "images of each photograph  [default: all, 125]"))
      .option("max-megapixels", megapixelsOption())
      .example("$0 data synthesize --photos examples/photos --out IQA_Database/small", ""),
  handler: async ({ photos, scenes, out, seed, contents, levels, splits, perContent, maxMegapixels }) => {
    const [{ synthesize }, { createProgress }, { listenForStop }] = await Promise.all([
      import("../../api/synthesize.js"),
      import("../progress.js"),
      import("../signals.js"),
    ]);
    const progress = createProgress();
    const stop = listenForStop(() => {
      progress.note("stopping; what was begun is removed");
    });
    try {
      const settings = { photos, scenes, out, seed, contents, levels, splits, perContent, maxMegapixels };
      const made = await synthesize({ ...settings, signal: stop.signal, onProgress: progress.onEvent });
      progress.stop();
      process.stdout.write(summary(made));
    } catch (error) {
      const exitCode = stop.exitCode();
      if (exitCode === undefined) throw error;
      process.exitCode = exitCode;
    } finally {
      progress.stop();
      stop.dispose();
    }
  },
});

function summary({ status, folder, images, photographs, unlabelled: unlabeled }: SynthesisResult): string {
  const content = `${images} images of ${photographs} photographs`;
  const what = status === "made" ? content : `already complete with the same settings: ${content}`;
  const scenes = unlabeled > 0 ? `; ${unlabeled} photographs have no scene label` : "";
  return `${folder}: ${what}${scenes}\nTheir scores are a proxy MOS, not opinions of viewers: see synthesis.json.\n`;
}
