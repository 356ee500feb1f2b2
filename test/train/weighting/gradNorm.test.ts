import { describe, expect, it } from "vitest";
import { gradNormFactors, learnGradNorm, SMALLEST_FACTOR } from "../../../src/train/weighting/gradNorm.js";
import type { GradientGram } from "../../../src/train/weighting/gradientGram.js";

const TASKS = ["quality", "scene"] as const;

/** Two gradients at right angles, of the given lengths. */
const lengths = (quality: number, scene: number): GradientGram => ({
  tasks: TASKS,
  values: [
    [quality ** 2, 0],
    [0, scene ** 2],
  ],
});

interface Toy {
  readonly products: GradientGram;
  readonly losses: readonly (readonly [number, number])[];
  readonly alpha: number;
  readonly rate: number;
}

/** The factors after a step with each of the losses. */
function factorsAfter({ products, losses, alpha, rate }: Toy): number[] {
  let state: ReturnType<typeof learnGradNorm> | null = null;
  for (const [quality, scene] of losses) {
    state = learnGradNorm(TASKS, state, { losses: { quality, scene }, products }, { alpha, rate });
  }
  return Object.values(gradNormFactors(TASKS, state));
}

const repeated = (first: readonly [number, number], then: readonly [number, number], steps: number) => [
  first,
  ...Array.from({ length: steps }, () => then),
];

/** The gradient of an absolute value keeps its length at the goal, so Adam goes on swinging by a few rates around it. */
const SWINGING = { rtol: 0, atol: 0.02 };

describe("learnGradNorm", () => {
  it("moves both by the rate in the first step: the longer gradient's factor down, the shorter one's up", () => {
    // G = 3 and 1, their mean 2, r = 1 and 1: signs +1 and −1; 1 ∓ 0.025 sum to 2 already
    const factors = factorsAfter({ products: lengths(3, 1), losses: [[0.4, 7]], alpha: 1.5, rate: 0.025 });
    expect(factors).toBeAllClose([0.975, 1.025], { rtol: 1e-7, atol: 0 });
  });

  it("brings gradients to the same length where both losses fell alike", () => {
    // 3·w₁ = w₂ and w₁ + w₂ = 2: w = ½, 3/2
    const losses = repeated([1, 4], [0.5, 2], 2000);
    expect(factorsAfter({ products: lengths(3, 1), losses, alpha: 1.5, rate: 0.001 })).toBeAllClose(
      [0.5, 1.5],
      SWINGING,
    );
  });

  it("gives the slower task the longer gradient, by the ratio of what is left of their losses with alpha 1", () => {
    // L/L(0) = 1 and ¼, so r = 8/5 and 2/5, G₁/G₂ = 4: 3·w₁ = 4·w₂ and w₁ + w₂ = 2: w = 8/7, 6/7
    const losses = repeated([2, 4], [2, 1], 2000);
    expect(factorsAfter({ products: lengths(3, 1), losses, alpha: 1, rate: 0.001 })).toBeAllClose(
      [8 / 7, 6 / 7],
      SWINGING,
    );
  });

  it("looks at the gradients' lengths alone with alpha 0", () => {
    const losses = repeated([2, 4], [2, 1], 2000);
    expect(factorsAfter({ products: lengths(3, 1), losses, alpha: 0, rate: 0.001 })).toBeAllClose([0.5, 1.5], SWINGING);
  });

  it("sums to the number of tasks, and never lets a factor fall to 0", () => {
    // A task whose loss is 0 from its first step on has r = 0 and the target 0: its factor falls until it is held
    const losses = repeated([1, 1], [1, 0], 400);
    const [quality = NaN, scene = NaN] = factorsAfter({ products: lengths(1, 1), losses, alpha: 1.5, rate: 0.025 });
    expect(quality + scene).toBeCloseTo(2, 12);
    expect(scene).toBeGreaterThan(SMALLEST_FACTOR / 2);
    expect(scene).toBeLessThan(0.05);
  });

  it("stays finite where losses begin at 0, fall below it, or all gradients are 0", () => {
    const toys = [
      { products: lengths(1, 2), losses: repeated([0, -1e-4], [-1e-4, 0], 3) },
      { products: lengths(0, 0), losses: repeated([1, 1], [0, 0], 3) },
    ];
    for (const toy of toys) {
      expect(factorsAfter({ ...toy, alpha: 1.5, rate: 0.025 }).every(Number.isFinite)).toBe(true);
    }
  });
});
