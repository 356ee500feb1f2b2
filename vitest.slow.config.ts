import { defineConfig } from "vitest/config";
import base from "./vitest.config.js";

/**
 * `npm run test:slow`: files that start the whole program many times, a browser or a package installation, or that train
 * a whole run of each variant. None of them is the only guard of a number of the model, the losses, the optimizer or the metrics.
 */
export const SLOW = [
  "test/api/evaluateSeen.test.ts",
  "test/api/exportHub.test.ts",
  "test/api/resnet.test.ts",
  "test/api/serve/serve.test.ts",
  "test/api/siglip.test.ts",
  "test/api/unreadable.test.ts",
  "test/api/windows.test.ts",
  "test/cli/archives.test.ts",
  "test/cli/cluster.test.ts",
  "test/cli/compare.test.ts",
  "test/cli/encoderKind.test.ts",
  "test/cli/evaluate.test.ts",
  "test/cli/exit.test.ts",
  "test/cli/exitWhileComputing.test.ts",
  "test/cli/export.test.ts",
  "test/cli/exportTfjs.test.ts",
  "test/cli/faults.test.ts",
  "test/cli/habits.test.ts",
  "test/cli/isolate.test.ts",
  "test/cli/kills.test.ts",
  "test/cli/launch.test.ts",
  "test/cli/predict.test.ts",
  "test/cli/serve.test.ts",
  "test/cli/serveLoad.test.ts",
  "test/cli/shards.test.ts",
  "test/cli/slurm.test.ts",
  "test/cli/streams.test.ts",
  "test/cli/train.test.ts",
  "test/cli/trainFolders.test.ts",
  "test/examples/browserPage.test.ts",
  "test/examples/ownData.test.ts",
  "test/examples/peft.test.ts",
  "test/pages/commandLines.test.ts",
  "test/pages/reportControls.test.ts",
  "test/pages/servePage.test.ts",
  "test/project/api.test.ts",
  "test/project/npm.test.ts",
  "test/project/tarball.test.ts",
  "test/python/dataEngines.test.ts",
  "test/python/decoders.test.ts",
  "test/python/hub.test.ts",
  "test/python/mlflow.test.ts",
  "test/python/parquet.test.ts",
  "test/python/siglip.test.ts",
  "test/python/weightReaders.test.ts",
  "test/resume/variants.test.ts",
];

export default defineConfig({ test: { ...base.test, include: SLOW } });
