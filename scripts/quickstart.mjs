// `npm run quickstart`, complete in itself: installs, provides the engine, trains a small model on the real photographs
// in examples/clive-sample, evaluates it, and shows what people and the model say of four photographs that it never saw.
// Called again, it keeps what is there: each part says so.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, install, liqe, main, provideEngine, ROOT, step } from "./steps.mjs";

const DATABASE = "examples/clive-sample";
const RUN = "checkpoints/quickstart";
const SPLIT = join(ROOT, RUN, "split-1");

/** Photographs that are shown, by their place among the test photographs in the order of people's scores. */
const SHOWN = [0.1, 0.4, 0.7, 0.95];

const NEXT = `
Next:
  npx liqe predict your-photo.jpg --checkpoint ${RUN}   score a photograph of yours with this small model
  npx liqe init your-scores.csv                              write a config that trains on your own images and scores
  npx liqe train --config kadid.yaml                         the published recipe; IQA_Database/README.md and
                                                             checkpoints/README.md say what to download for it
  npx liqe --help                                            everything else`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    await step("install", install);
    await step("build", build);
    await step("engine", provideEngine);
    await step("training on 400 photographs, then its table on 120 that it never saw", train);
    console.log(`\n${await besidePeople(readFileSync(join(SPLIT, "predictions.csv"), "utf8"))}`);
    console.log(`\nreport: ${pathToFileURL(join(SPLIT, "report.html")).href}`);
    console.log(NEXT);
  });
}

/** A run that was stopped goes on; of a finished one the table is made again. */
async function train() {
  if (!existsSync(SPLIT)) return liqe("train", "--config", "quickstart.yaml");
  console.error(`kept: ${RUN}; delete the folder to train anew`);
  if (!existsSync(join(SPLIT, "results.json"))) return liqe("train", "--resume", RUN);
  return liqe("evaluate", "--checkpoint", RUN);
}

/**
 * Four test photographs, the worst of them by people's scores first: the model's sentence, and both scores side by side
 * with their places among all test photographs.
 *
 * @param {string} predictions predictions.csv of the run
 */
export async function besidePeople(predictions) {
  const { parse } = await import("csv-parse/sync"); // packages and dist/ are there when this is called
  const { sentence } = await import("../dist/cli/commands/predict.js");
  const rows = parse(predictions, { columns: true, cast: (value, { column }) => castNumber(value, column) });
  const placeBy = (score) => {
    const sorted = rows.toSorted((a, b) => b[score] - a[score]);
    return (row) => `place ${sorted.indexOf(row) + 1} of ${rows.length}`;
  };
  const [byPeople, byModel] = [placeBy("mos"), placeBy("quality")];
  const ascending = rows.toSorted((a, b) => a.mos - b.mos);
  const shown = SHOWN.map((part) => ascending[Math.min(Math.floor(part * rows.length), rows.length - 1)]);
  const lines = shown.flatMap((row) => {
    const { quality, scene, distortion } = row;
    const image = `${DATABASE}/${row.image}`;
    return [
      sentence({ image, scene, distortion, quality, levels: 5, isEnlarged: false, heatmap: null }),
      `  people: ${row.mos.toFixed(1)} of 100, ${byPeople(row)}`,
      `  model:  ${quality.toFixed(2)} of 5, ${byModel(row)}`,
    ];
  });
  return ["Four photographs that it never saw, the worst by people's scores first:", ...lines].join("\n");
}

/** A score of predictions.csv as a number; other columns as they are. */
function castNumber(value, column) {
  return column === "mos" || column === "quality" ? Number(value) : value;
}
