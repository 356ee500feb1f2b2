/** What a run is going to do, in words: `liqe train --dry-run`. */
import type { Database } from "../data/sample.js";
import { gridOf } from "../model/config.js";
import { parameterShapes } from "../model/parameterShapes.js";
import { presetArchitecture } from "../model/presets.js";
import type { RunConfig } from "./runConfig.js";

export interface PlannedRun {
  readonly folder: string;
  readonly config: RunConfig;
}

export function describePlan({ folder, config }: PlannedRun, databases: readonly Database[]): string {
  const { train, model, prompts } = config;
  const grid = gridOf(prompts);
  const images = databases.reduce((sum, { imagesPerStep }) => sum + imagesPerStep, 0);
  return [
    `run          ${folder}`,
    `network      ${describeNetwork(model)}`,
    `prompts      ${grid.prompts.length}: ${grid.axes.map(({ axis, labels }) => `${labels.length} x ${axis}`).join(", ")}`,
    ...databases.map(
      ({ name, train: own, val, test, imagesPerStep }) =>
        `database     ${name}: ${own.length} to train on (${imagesPerStep} a step), ${val.length} to validate, ${test.length} to test`,
    ),
    `steps        ${train.epochs} epochs of ${train.stepsPerEpoch}, each of ${images} images x ${train.cropsPerImage} crops`,
    "nothing was written",
  ].join("\n");
}

function describeNetwork({ preset, weights }: RunConfig["model"]): string {
  if (preset === undefined) return `as in ${weights}`;
  const shapes = [...parameterShapes(presetArchitecture(preset)).values()];
  const parameters = shapes.reduce((sum, shape) => sum + shape.reduce((product, side) => product * side, 1), 0);
  const start = weights === "none" ? "from random weights" : `from ${weights}`;
  return `${preset}, ${(parameters / 1e6).toFixed(1)} million parameters, ${start}`;
}
