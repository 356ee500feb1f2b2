/** The end of a training run: its best checkpoint on the test lists, which nothing has looked at before. */
import { join } from "node:path";
import { writeFileAtomic } from "../base/atomicFile.js";
import type { Database } from "../data/sample.js";
import type { Progress } from "./progress.js";
import { predictSamples, predictionsCsv } from "../evaluate/predictions.js";
import { buildResults } from "../evaluate/results.js";
import { benchmarkTable } from "../evaluate/table.js";
import { openModel } from "../train/openModel.js";
import { RUN_FILES } from "../train/runFolder.js";
import type { SplitJob } from "./trainRuns.js";

/** Writes results.json and predictions.csv into the split's folder and the table to standard output. */
export async function evaluateTrained(
  { folder, split, config, databases }: SplitJob & { readonly databases: readonly Database[] },
  progress: Progress,
): Promise<void> {
  const opened = await openModel(folder);
  const { labels } = opened.model.grid;
  const names = { scenes: labels.scenes, distortions: Object.keys(labels.distortions) };
  const { crops, protocol } = config.evaluate;
  const options = { crops, microBatch: config.train.microBatch, images: config.data };
  try {
    const evaluated = [];
    for (const { name, test } of databases) {
      if (test.length === 0) continue;
      const scored = await predictSamples(test, opened.scorer, names, options, progress.report);
      evaluated.push({ name, split, subset: "test" as const, ...scored });
    }
    const checkpoint = opened.source.kind === "checkpoint" ? opened.source.folder : opened.source.file;
    const results = buildResults(evaluated, { protocol, checkpoint, crops, labels: names, seed: config.seed });
    await writeFileAtomic(
      join(folder, RUN_FILES.predictions),
      predictionsCsv(evaluated.flatMap((one) => one.predictions)),
    );
    await writeFileAtomic(join(folder, RUN_FILES.results), `${JSON.stringify(results, null, 2)}\n`);
    progress.stop();
    process.stdout.write(benchmarkTable(results));
  } finally {
    opened.dispose();
  }
}
