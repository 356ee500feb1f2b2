import { DataError } from "../base/errors.js";
import { normalCdf } from "../base/distributions.js";
import { type ImageSource, load, Model, type Score, type ScoreOptions } from "./load.js";
import type { KindOptions, PromptOptions } from "./openModel.js";
import type { WorkOptions } from "./work.js";

/** Options of `compare`. */
export interface CompareOptions extends WorkOptions, ScoreOptions, PromptOptions, KindOptions {
  /** Run, split, checkpoint, export or weight file, or a loaded model, which stays the caller's; the one in the box by default. */
  readonly checkpoint?: string | Model | undefined;
}

/** Verdict on two images. */
export interface Comparison {
  /** P(A is better) = Φ(q_A − q_B), as the fidelity loss is trained (LIQE, CVPR 2023). */
  readonly probability: number;
  /** `tie` where `probability` lies within 0.05 of one half. */
  readonly better: "A" | "B" | "tie";
  readonly a: Score;
  readonly b: Score;
}

/** Distance of the probability from one half up to which two images tie. */
const TIE = 0.05;

/**
 * Compares two images.
 * @throws {@link DataError} where one of them cannot be used
 * @throws {@link CheckpointError}, {@link EngineError} as `load`
 * @example
 * ```ts
 * import { compare, train } from "liqe-train";
 *
 * const run = await train("kadid.yaml"); // a finished run is not trained again
 * const { better, probability } = await compare("photo.jpg", "other.jpg", { checkpoint: run.best });
 * console.log(better, probability);
 * ```
 */
export async function compare(a: ImageSource, b: ImageSource, options: CompareOptions = {}): Promise<Comparison> {
  const { checkpoint } = options;
  const model = checkpoint instanceof Model ? checkpoint : await load(checkpoint, options);
  try {
    const [first, second] = [await model.score(a, options), await model.score(b, options)];
    const probability = normalCdf(first.quality - second.quality);
    if (Number.isNaN(probability))
      throw new DataError("compare: the model's scores are not numbers; are its weights whole?");
    const isTie = Math.abs(probability - 0.5) <= TIE;
    return { probability, better: isTie ? "tie" : probability > 0.5 ? "A" : "B", a: first, b: second };
  } finally {
    if (model !== checkpoint) model.dispose();
  }
}
