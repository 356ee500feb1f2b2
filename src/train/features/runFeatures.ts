/** Features of a run that trains a probe: where they are kept, and which images they are of. */
import path from "node:path";
import type { LiqeModel } from "../../model/liqe.js";
import type { NamedArrays } from "../../model/parameters/parameters.js";
import { RUN_FILES, splitOf } from "../checkpoint/runFolder.js";
import type { RunPlan } from "../plan.js";
import { FeatureStore } from "./featureStore.js";

/** Folder of a run that keeps image features, for all of its splits. */
function featuresFolder(splitFolder: string): string {
  return path.join(splitOf(splitFolder) === null ? splitFolder : path.dirname(splitFolder), RUN_FILES.features);
}

/** Features of a run that trains a probe, kept in its folder or in memory; null for any other run. */
export function openFeatures(
  model: LiqeModel,
  { config, folder, engine, reporter }: RunPlan,
  { weights, isKept }: { readonly weights: NamedArrays; readonly isKept: boolean },
): FeatureStore | null {
  if (config.train.tune !== "probe") return null;
  const place = isKept ? featuresFolder(folder) : null;
  return new FeatureStore(model, weights, { folder: place, data: config.data, engine, note: reporter.note });
}

/** Images whose features a run takes, and how many windows of each; a validation image may fail. */
export function featureRequests({ config, databases }: Pick<RunPlan, "config" | "databases">) {
  const { crops, validationCrops } = config.evaluate;
  return databases.flatMap(({ train, val }) => [
    ...train.map(({ file }) => ({ file, crops, mayFail: false })),
    ...val.map(({ file }) => ({ file, crops: validationCrops, mayFail: true })),
  ]);
}
