import { DataError } from "../base/errors.js";
import { normalCdf } from "../losses/pairs.js";
import { type ImageSource, load, type Model, type Score, type ScoreOptions } from "./load.js";
import type { WorkOptions } from "./work.js";

/** Options of `compare`. */
export interface CompareOptions extends WorkOptions, ScoreOptions {
  /** A run, a split, a checkpoint, an export or a weight file, or what `load` gave of it, borrowed. */
  readonly checkpoint: string | Model;
}

/** Which of two images is better, and how surely. */
export interface Comparison {
  /** P(A is better) = Φ(q_A − q_B), as the fidelity loss is trained (LIQE, CVPR 2023). */
  readonly probability: number;
  readonly better: "A" | "B" | "tie";
  readonly a: Score;
  readonly b: Score;
}

/** From this far on either side of one half, one image is called better. */
const TIE = 0.05;

/**
 * Compares two images.
 *
 * @throws {DataError} where one of them cannot be used; {CheckpointError} {EngineError} as `load`
 */
export async function compare(a: ImageSource, b: ImageSource, options: CompareOptions): Promise<Comparison> {
  const { checkpoint } = options;
  const model = typeof checkpoint === "string" ? await load(checkpoint, options) : checkpoint;
  try {
    const [first, second] = [await model.score(a, options), await model.score(b, options)];
    const probability = normalCdf(first.quality - second.quality);
    if (Number.isNaN(probability))
      throw new DataError("compare: the model's scores are not numbers; are its weights whole?");
    const isTie = Math.abs(probability - 0.5) <= TIE;
    return { probability, better: isTie ? "tie" : probability > 0.5 ? "A" : "B", a: first, b: second };
  } finally {
    if (typeof checkpoint === "string") model.dispose();
  }
}
