import { sum } from "../../base/collections.js";
import { DataError } from "../../base/errors.js";
import { type Database, scoreScale } from "../../data/sample.js";
import { scoreTargets } from "../../losses/scores.js";
import { PROMPT_FEATURES } from "../../model/parameters/learnedPrompts.js";
import type { LiqeModel } from "../../model/liqe.js";
import { axisLabels } from "../../model/prompts/promptGrid.js";
import type { StepFlops } from "../cost/stepFlops.js";
import type { RunPlan } from "../plan.js";
import type { StepResult } from "../step.js";
import * as tf from "../../engine/tf.js";
import type { FeatureStore } from "./featureStore.js";
import { meanFeature } from "./predictFromFeatures.js";
import { type RidgeRow, solveRidge } from "./ridge.js";

/** Training images of a ridge regression, and its settings. */
interface RidgeOptions {
  readonly databases: readonly Pick<Database, "name" | "train" | "taught">[];
  readonly store: FeatureStore;
  /** Windows of an image, whose mean feature is regressed. */
  readonly crops: number;
  readonly lambda: number;
}

/**
 * Solution of a linear probe's quality in closed form, given to the model as features of its prompts.
 *
 * The mean feature x of an image's windows is regressed on its MOS, counted in levels from the middle of the scale: w·x.
 * Each database's scale, or its teacher's, is aligned with the levels, and each database has equal weight. Cosines have
 * no intercept, so the regression has none. The prompts of level k get (k − middle)·w/(variance · logit scale), the
 * variance that of equally probable levels, plus the mean feature of the prompts that differ in level alone. Their
 * softmax then gives a quality that rises strictly with w·x and equals middle + w·x to first order. The level does not
 * depend on scene and distortion any more: those are told as by the mean features.
 * @param model  whose prompt features are a parameter, as the text encoder makes them; borrowed and changed
 * @returns      the weighted mean of the squared errors, in levels, as loss; the gradient's norm is 0 but for rounding
 * @throws {DataError} where a database's scores do not differ, or an image cannot be read
 */
export async function ridgeStep(model: LiqeModel, options: RidgeOptions): Promise<StepResult> {
  const levels = axisLabels(model.grid, "quality")?.length ?? 0;
  const { embedding } = model.architecture;
  const rows = ridgeRows(options, levels);
  const { weights, error, gradientNorm } = await solveRidge(rows, { width: embedding, lambda: options.lambda });
  const features = withLevels(model, weights, levels);
  const variable = model.parameters.variables.get(PROMPT_FEATURES);
  if (variable === undefined) throw new Error("internal: ridgeStep: the model's prompts are no parameter");
  tf.tidy(() => {
    variable.assign(tf.tensor(features, variable.shape));
  });
  return { loss: error, losses: { quality: error }, weights: { quality: 1 }, gradientNorm, gradients: null };
}

/** Rows of all training images, database after database. @throws {DataError} where a database's scores do not differ */
async function* ridgeRows({ databases, store, crops }: RidgeOptions, levels: number): AsyncGenerator<RidgeRow> {
  const trained = databases.filter(({ train }) => train.length > 0);
  const all = trained.reduce((sum, { train }) => sum + train.length, 0);
  const targetsOf = trained.map((database) => levelTargets(database, levels)); // refused before an image is read
  for (const [which, { train }] of trained.entries()) {
    const weight = all / (trained.length * train.length);
    for (const [i, { file }] of train.entries()) {
      yield { features: meanFeature(await store.of({ file, crops })), target: targetsOf[which]?.[i] ?? NaN, weight };
    }
  }
}

/** MOS in levels, from the middle of the scale. */
function levelTargets(database: RidgeOptions["databases"][number], levels: number): number[] {
  const { name, train } = database;
  const { mosSpan, mosLowest } = scoreScale(database);
  if (!(mosSpan > 0)) {
    throw new DataError(`train.probe: ${name}: all training scores are ${mosLowest}, which is no scale; leave it out`);
  }
  const mos = Float32Array.from(train, (sample) => sample.mos);
  const labels = { databases: [{ name, images: mos.length, mosSpan, mosLowest }], mos, mosStd: train.map(() => null) };
  return Array.from(scoreTargets(labels, levels, { quality: "huber" }).realigned, (score) => score - (levels + 1) / 2);
}

/** Prompt features, [prompts, embedding], with a regression's weights as the difference of their levels. */
function withLevels(model: LiqeModel, weights: Float64Array, levels: number): Float32Array {
  const before = model.parameters.read(PROMPT_FEATURES).dataSync<"float32">();
  const perLevel = before.length / levels; // quality is the slowest axis
  const scale = 1 / (((levels * levels - 1) / 12) * model.logitScale());
  return Float32Array.from({ length: before.length }, (_, at) => {
    const [level, place] = [Math.floor(at / perLevel), at % perLevel];
    const shared = Array.from({ length: levels }, (__, k) => before[k * perLevel + place] ?? NaN);
    const mean = shared.reduce((sum, value) => sum + value, 0) / levels;
    return mean + (level - (levels - 1) / 2) * scale * (weights[place % weights.length] ?? NaN);
  });
}

/** Floating-point operations of the normal equations and their solution. */
export function ridgeFlops(images: number, width: number): number {
  return images * width * (width + 1) + width ** 3 / 3;
}

/** Work of a run's only step where a probe is solved in closed form. */
export function ridgeStepFlops({
  databases,
  architecture: { embedding },
}: Pick<RunPlan, "databases" | "architecture">): StepFlops {
  const total = ridgeFlops(sum(databases.map(({ train }) => train.length)), embedding);
  return { images: 0, prompts: 0, logits: total, total };
}
