import { CheckpointError, ShapeError } from "../../base/errors.js";
import { type AdamKind, type AdamUpdate, createAdamKernel, type Moments } from "../../engine/adam.js";
import * as tf from "../../engine/tf.js";

/** PyTorch's defaults. */
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** Everything besides the weights that the next step depends on. */
interface AdamWState {
  /** Steps taken. */
  readonly step: number;
  /** See `AdamW.untouchedDecay`. */
  readonly untouchedDecay: number;
  /** By parameter name; an optimizer's own are read from the device, as copies, whenever they are asked for. */
  readonly moments: ReadonlyMap<string, Moments>;
}

interface AdamWOptions {
  readonly weightDecay: number;
  /** Factors of the learning rate by parameter name, 1 by default; decay follows the parameter's own rate. */
  readonly learningRateFactors?: ReadonlyMap<string, number>;
  /** Factor of the weights that were left out; see `AdamW.untouchedDecay`. */
  readonly untouchedRateFactor?: number;
  readonly kernel?: AdamKind;
}

/**
 * AdamW (I. Loshchilov, F. Hutter, Decoupled Weight Decay Regularization, ICLR 2019, arXiv 1711.05101) as
 * torch.optim.AdamW computes it: every parameter is multiplied by 1 − rate·weightDecay, then moves by
 * rate · m̂ / (√v̂ + 1e-8), with m̂ = m/(1 − 0.9^t) and v̂ = v/(1 − 0.999^t). A parameter's own rate is the step's times
 * its factor, as in PyTorch's parameter groups.
 * Powers of the betas are formed from the step count in float64, so that a restored optimizer goes on bit for bit.
 */
export class AdamW {
  readonly #variables: ReadonlyMap<string, tf.Variable>;
  readonly #weightDecay: number;
  readonly #learningRateFactors: ReadonlyMap<string, number>;
  readonly #untouchedRateFactor: number;
  readonly #kernel: ReturnType<typeof createAdamKernel>;
  #step = 0;
  #untouchedDecay = 1;

  /**
   * @param variables  the parameters to train, by name: borrowed, and changed by `apply`; with a compiled kernel its
   *                   weights are changed instead. The moments are kept until `dispose()`, on the engine that is current now
   */
  constructor(
    variables: ReadonlyMap<string, tf.Variable>,
    { weightDecay, learningRateFactors = new Map(), untouchedRateFactor = 1, kernel = "auto" }: AdamWOptions,
  ) {
    this.#variables = variables;
    this.#weightDecay = weightDecay;
    this.#learningRateFactors = learningRateFactors;
    this.#untouchedRateFactor = untouchedRateFactor;
    this.#kernel = createAdamKernel(variables, kernel);
  }

  /** Steps taken. */
  get step(): number {
    return this.#step;
  }

  /**
   * Factor by which decay alone has changed a weight that never had a gradient and was left out of `variables`: the
   * product of 1 − rate·factor·weightDecay over the steps, each rounded to float32 as it is for the others.
   */
  get untouchedDecay(): number {
    return this.#untouchedDecay;
  }

  /**
   * Takes one step.
   * @param gradients     borrowed: one for each parameter, of its shape, finite (not checked here)
   * @param learningRate  of the parameters whose factor is 1
   * @param gradientFactor  of all gradients; see `clipFactor`
   * @throws {ShapeError} naming every gradient that is missing, of another shape, or of no known parameter; nothing
   *                      has changed then
   */
  apply(gradients: ReadonlyMap<string, tf.Tensor>, learningRate: number, gradientFactor = 1): void {
    this.#check(gradients);
    const updates = new Map<number, AdamUpdate>();
    const withFactor = (factor: number): AdamUpdate => {
      const update = updates.get(factor) ?? updateOf(this.#step + 1, learningRate * factor, this.#weightDecay);
      updates.set(factor, update);
      return update;
    };
    this.#kernel.apply({
      gradients,
      gradientFactor,
      updateOf: (name) => withFactor(this.#learningRateFactors.get(name) ?? 1),
    });
    this.#untouchedDecay *= Math.fround(withFactor(this.#untouchedRateFactor).decay);
    this.#step += 1;
  }

  /** All that `restore` needs, of this moment: its arrays are to be read before the next step. */
  state(): AdamWState {
    return { step: this.#step, untouchedDecay: this.#untouchedDecay, moments: this.#kernel.moments() };
  }

  /**
   * Goes on from a state of another optimizer over parameters of the same names and sizes; its arrays are borrowed.
   * @throws {CheckpointError} naming every parameter whose moments are missing, of another size, or not wanted here
   */
  restore({ step, untouchedDecay, moments }: AdamWState): void {
    const problems = [...this.#variables].flatMap(([name, { size }]) => {
      const found = moments.get(name);
      if (found === undefined) return [`${name} is missing`];
      const sizes = [found.first.length, found.second.length];
      return sizes.every((length) => length === size)
        ? []
        : [`${name}: expected ${size} values, got ${sizes.join(", ")}`];
    });
    for (const name of unknownNames(moments, this.#variables)) problems.push(`${name} is not trained here`);
    if (!Number.isInteger(step) || step < 0) problems.push(`step must be a whole number from 0 on, got ${step}`);
    if (problems.length > 0) {
      throw new CheckpointError(`optimizer: ${summary(problems)}; was it saved for another model or \`freeze\`?`);
    }
    this.#kernel.restore(moments);
    this.#step = step;
    this.#untouchedDecay = untouchedDecay;
  }

  dispose(): void {
    this.#kernel.dispose();
  }

  #check(gradients: ReadonlyMap<string, tf.Tensor>): void {
    const problems = [...this.#variables].flatMap(([name, { shape }]) => {
      const found = gradients.get(name)?.shape;
      if (found === undefined) return [`${name} has none`];
      return tf.util.arraysEqual(found, shape)
        ? []
        : [`${name}: expected [${shape.join(", ")}], got [${found.join(", ")}]`];
    });
    for (const name of unknownNames(gradients, this.#variables)) problems.push(`${name} is not trained here`);
    if (problems.length > 0) throw new ShapeError(`AdamW.apply: gradients: ${summary(problems)}`);
  }
}

/** Bias correction moved into step and epsilon: rate·m̂/(√v̂ + ε) = (rate·√c₂/c₁)·m/(√v + ε·√c₂), c = 1 − β^t. */
function updateOf(step: number, learningRate: number, weightDecay: number): AdamUpdate {
  const correction1 = 1 - BETA1 ** step;
  const root2 = Math.sqrt(1 - BETA2 ** step);
  return {
    beta1: BETA1,
    beta2: BETA2,
    stepSize: (learningRate * root2) / correction1,
    epsilon: EPSILON * root2,
    decay: 1 - learningRate * weightDecay,
  };
}

function unknownNames(given: ReadonlyMap<string, unknown>, known: ReadonlyMap<string, unknown>): string[] {
  return [...given.keys()].filter((name) => !known.has(name));
}

function summary(problems: readonly string[]): string {
  const shown = problems.slice(0, 5).join("; ");
  return problems.length > 5 ? `${shown}; … (${problems.length} in all)` : shown;
}

/** In the denominator, as in PyTorch's clip_grad_norm_: a norm of 0 divides nothing by zero. */
const NORM_EPSILON = 1e-6;

/** Factor min(1, clipNorm / (norm + 1e-6)), as in torch.nn.utils.clip_grad_norm_; 1 where `clipNorm` is null. */
export function clipFactor(norm: number, clipNorm: number | null): number {
  return clipNorm === null ? 1 : Math.min(1, clipNorm / (norm + NORM_EPSILON));
}
