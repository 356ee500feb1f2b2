// `npm run quickstart`, complete in itself: installs, provides the engine, makes a small database from the photographs
// in examples/, trains a small model on it, evaluates it and scores two photographs. Called again, it keeps what is
// there: each part says so.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build, install, liqe, main, provideEngine, ROOT, step } from "./steps.mjs";

const PHOTOS = "examples/photos";
/** Scored at the end. */
const SHOWN = [`${PHOTOS}/coffee.jpg`, `${PHOTOS}/rocket.jpg`];
/** Of the database: its first split leaves out the two photographs shown, so their scores are those of unseen ones. */
const SEED = "70";
const DATABASE = "IQA_Database/quickstart";
const RUN = "checkpoints/quickstart";

const NEXT = `
Next:
  npx liqe predict your-photo.jpg --checkpoint ${RUN}   score a photograph of yours with this small model
  npx liqe train --config photos.yaml                        train on a database made from many photographs of yours
  npx liqe train --config kadid.yaml                         the published recipe; IQA_Database/README.md and
                                                             checkpoints/README.md say what to download for it
  npx liqe --help                                            everything else`;

await main(async () => {
  await step("install", install);
  await step("build", build);
  await step("engine", provideEngine);
  await step("database", makeDatabase);
  await step("training, then its table on photographs it never saw", train);
  await step("two photographs that it never saw", () => liqe("predict", ...SHOWN, "--checkpoint", RUN));
  console.log(NEXT);
});

/** Says itself where the database is there already, whole and with these settings. */
function makeDatabase() {
  const scenes = `${PHOTOS}/scenes.tsv`;
  return liqe("data", "synthesize", "--photos", PHOTOS, "--scenes", scenes, "--out", DATABASE, "--seed", SEED);
}

/** A run that was stopped goes on; of a finished one the table is made again. */
async function train() {
  const split = join(ROOT, RUN, "split-1");
  if (!existsSync(split)) return liqe("train", "--config", "quickstart.yaml");
  console.error(`kept: ${RUN}; delete the folder to train anew`);
  if (!existsSync(join(split, "results.json"))) return liqe("train", "--resume", RUN);
  return liqe("evaluate", "--checkpoint", RUN);
}
