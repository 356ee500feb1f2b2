/**
 * How undecided a model is about an image: the entropy of the softmax over all prompts, −Σ p·ln p, in nats. 0 where one
 * prompt has all the probability, ln(prompts) where all have the same (6.2 for the published 495).
 *
 * @param logits [prompts], as `judge` takes them
 */
export function jointEntropy(logits: ArrayLike<number>): number {
  const scores = Float64Array.from(logits);
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const below = scores.map((logit) => logit - largest);
  const total = below.reduce((sum, d) => sum + Math.exp(d), 0);
  // −Σ p·ln p with p = exp(d) / total; a prompt without probability adds nothing, where 0·ln 0 would be NaN.
  return Math.log(total) - below.reduce((sum, d) => sum + d * Math.exp(d), 0) / total;
}
