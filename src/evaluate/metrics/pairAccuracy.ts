/** Agreement of a model with people's choices between two images. */

/** Pair of images with the share of people who prefer the first. */
export interface Choice {
  /** Predicted qualities of the two. */
  readonly a: number;
  readonly b: number;
  /** 0 to 1. */
  readonly p: number;
}

/** Agreement over all pairs. */
export interface PairAccuracy {
  readonly pairs: number;
  /** Mean share of people who make the model's choice (the 2AFC score of R. Zhang et al., CVPR 2018). */
  readonly twoAlternative: number;
  /** Share of pairs in which the model chooses as most people do. */
  readonly accuracy: number;
  /** The largest 2AFC score that any model can have on these pairs. */
  readonly ceiling: number;
}

/** Agreement in which a pair counts one half where the model, or half of the people, cannot decide. @param choices  at least one */
export function pairAccuracy(choices: readonly Choice[]): PairAccuracy {
  const sum = (of: (choice: Choice) => number) => choices.reduce((all, choice) => all + of(choice), 0) / choices.length;
  return {
    pairs: choices.length,
    twoAlternative: sum(({ a, b, p }) => (a === b ? 0.5 : a > b ? p : 1 - p)),
    accuracy: sum(({ a, b, p }) => (a === b || p === 0.5 ? 0.5 : a > b === p > 0.5 ? 1 : 0)),
    ceiling: sum(({ p }) => Math.max(p, 1 - p)),
  };
}
