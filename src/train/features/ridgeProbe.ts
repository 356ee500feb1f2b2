import { DataError } from "../../base/errors.js";
import type { Database } from "../../data/sample.js";
import { scoreTargets } from "../../losses/scores.js";
import { PROMPT_FEATURES } from "../../model/parameters/learnedPrompts.js";
import type { LiqeModel } from "../../model/liqe.js";
import { axisLabels } from "../../model/prompts/promptGrid.js";
import type { StepResult } from "../step.js";
import * as tf from "../../engine/tf.js";
import type { FeatureStore } from "./featureStore.js";
import { meanFeature } from "./predictFromFeatures.js";
import { type RidgeRow, solveRidge } from "./ridge.js";

/** Training images of a ridge regression, and its settings. */
interface RidgeOptions {
  readonly databases: readonly Pick<Database, "name" | "train">[];
  readonly store: FeatureStore;
  /** Windows of an image, whose mean feature is regressed. */
  readonly crops: number;
  readonly lambda: number;
}

/**
 * Solves the quality of a linear probe in closed form, and gives it to the model as features of its prompts.
 *
 * The mean feature x of an image's windows is regressed on its MOS, counted in levels from the middle of the scale, each
 * database's scale aligned with the levels and each database of equal weight: w·x. Cosines have no intercept, and so has
 * the regression. The prompts of level k get (k − middle)·w/(variance · logit scale), the variance that of equally
 * probable levels, plus the mean feature of the prompts that differ in level alone. Their softmax then gives a quality
 * that rises strictly with w·x, and equals middle + w·x to first order; scenes and distortions are told as before.
 * @param model  whose prompt features are a parameter, as the text encoder makes them; borrowed and changed
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

/** Rows of all training images, database after database. @throws {DataError} where scores do not differ */
async function* ridgeRows({ databases, store, crops }: RidgeOptions, levels: number): AsyncGenerator<RidgeRow> {
  const trained = databases.filter(({ train }) => train.length > 0);
  const all = trained.reduce((sum, { train }) => sum + train.length, 0);
  for (const { name, train } of trained) {
    const targets = levelTargets(name, train, levels);
    const weight = all / (trained.length * train.length);
    for (const [i, { file }] of train.entries()) {
      yield { features: meanFeature(await store.of({ file, crops })), target: targets[i] ?? NaN, weight };
    }
  }
}

/** MOS in levels, from the middle of the scale. */
function levelTargets(name: string, train: Database["train"], levels: number): number[] {
  const mos = train.map((sample) => sample.mos);
  const [mosLowest, highest] = mos.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]); // prettier-ignore
  const database = { name, images: train.length, mosSpan: highest - mosLowest, mosLowest };
  if (!Number.isFinite(database.mosSpan))
    throw new DataError(`train.probe: ${name}: a score is not finite; mend the list`);
  const labels = { databases: [database], mos: Float32Array.from(mos), mosStd: mos.map(() => null) };
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
