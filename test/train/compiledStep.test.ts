import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { CompiledWeights } from "../../src/engine/adam.js";
import { canCompile, nativeBackend } from "../../src/engine/compile/binding.js";
import { Compiler, EAGER } from "../../src/engine/compile/compile.js";
import { EngineConfig } from "../../src/engine/config.js";
import { allowsUnits } from "../../src/engine/precision.js";
import * as tf from "../../src/engine/tf.js";
import { LossesConfig } from "../../src/losses/config.js";
import { disposeTargets } from "../../src/losses/targets.js";
import type { LiqeModel } from "../../src/model/liqe.js";
import { isVision } from "../../src/model/parameters/parameters.js";
import { patchBatches } from "../../src/model/vision/patches.js";
import { cachedGradients, type Gradients, type Recompute } from "../../src/train/gradientCache.js";
import { AdamW } from "../../src/train/optimizer/adamw.js";
import { compileWeights } from "../../src/train/optimizer/createOptimizer.js";
import { ExponentialMovingAverage } from "../../src/train/optimizer/ema.js";
import { lossHead, NonFiniteStepError, type StepResult } from "../../src/train/step.js";
import type { StepWeights } from "../../src/train/weighting/taskWeights.js";
import { golden, goldenTensor } from "../support/golden.js";
import {
  CROPS,
  EVEN_WEIGHTS,
  goldenModel,
  goldenPixels,
  goldenTargets,
  goldenTrainer,
  trainedNames,
  variablesOf,
  withoutKeyBias,
} from "../support/goldenStep.js";
import { stepOn } from "../support/steps.js";
import { startTestEngine } from "../support/testEngine.js";
import { relativeError } from "../support/tensors.js";

await startTestEngine();

/** Of all gradients together, by norm: the same operations, merged and ordered otherwise. */
const COMPILED = 1e-5;
/** Of one tensor's gradient, some of which are small sums of large parts. */
const TENSOR = 1e-4;
/** Of weights after two of Adam's steps, which follow a gradient's sign where it is rounding alone. */
const MOVED = 1e-3;
/** Of losses over 12 steps that each begin where the last one ended. */
const LOSSES = 1e-4;
/** Of a gradient, all of it: products of 8 bits. */
const HALF_GRADIENT = 5e-2;
/** Of a loss in bfloat16. */
const HALF_LOSS = 1e-2;

const { expected, meta } = golden();

/** What a test has open; `close` frees it. */
interface Opened {
  readonly model: LiqeModel;
  readonly compiled: CompiledWeights | null;
  readonly trainer: ReturnType<typeof goldenTrainer>;
}

const opened: Opened[] = [];

async function open(engine: Partial<EngineConfig>, microBatch = CROPS): Promise<Opened> {
  const model = await goldenModel();
  const compiled = compileWeights(variablesOf(model), EngineConfig.parse(engine));
  const all = { model, compiled, trainer: goldenTrainer(model, microBatch, compiled) };
  opened.push(all);
  return all;
}
const openCompiled = (microBatch?: number) => open({}, microBatch);
const openEager = (microBatch?: number) => open({ compile: "never" }, microBatch);

interface GradientOptions {
  readonly losses?: Partial<LossesConfig>;
  readonly use?: StepWeights["gradients"];
  readonly recompute?: Recompute;
  readonly names?: readonly string[];
}

/** Gradients on the host and the losses, by name. */
async function gradientsOf({ trainer, model }: Opened, options: GradientOptions = {}) {
  const { losses, use = "ignored", recompute = "never", names = trainedNames(model) } = options;
  const targets = goldenTargets(model, losses);
  const crops = patchBatches(goldenPixels(), model.architecture.vision, { size: trainer.microBatch });
  const weights = tf.tensor1d([0.5, 1, 2]);
  const towers = { ...trainer, trained: names, recompute };
  const head = lossHead(towers, targets, { values: {}, gradients: use }, weights);
  const { measured, gradients } = await cachedGradients(towers, crops, head);
  const values = new Map([...gradients].map(([name, gradient]) => [name, Float32Array.from(gradient.dataSync())]));
  const measures = [...measured.dataSync()];
  disposeTargets(targets);
  tf.dispose([weights, measured, ...gradients.values(), ...crops.map(({ patches }) => patches)]);
  return { values, measures };
}

type Values = ReadonlyMap<string, Float32Array>;

const errorsOf = (found: Values, wanted: Values) =>
  [...wanted]
    .map(([name, values]) => {
      const ours = found.get(name) ?? [];
      return [name, relativeError(withoutKeyBias(name, ours), withoutKeyBias(name, values))] as const;
    })
    .filter(([, error]) => !(error < TENSOR));

/** All values in one list. */
const flat = (values: Values) => [...values].flatMap(([name, own]) => withoutKeyBias(name, own));

async function steps({ trainer, model }: Opened, count: number, learningRate = 1e-3): Promise<StepResult[]> {
  const results: StepResult[] = [];
  const targets = goldenTargets(model);
  for (let i = 0; i < count; i++) {
    const input = { pixels: goldenPixels(), targets, taskWeights: EVEN_WEIGHTS, learningRate };
    results.push(await stepOn(trainer, input));
  }
  disposeTargets(targets);
  return results;
}

/** Moments as they are, on the host, and the steps taken. */
function momentsOf(optimizer: AdamW) {
  const { step, untouchedDecay, moments } = optimizer.state();
  return [step, untouchedDecay, ...[...moments].map(([name, { first, second }]) => [name, first, second])];
}

/** Weights as they are, on the host. */
async function weightsOf({ model, compiled }: Opened): Promise<Values> {
  const read = (): Values =>
    new Map([...variablesOf(model)].map(([name, variable]) => [name, Float32Array.from(variable.dataSync())]));
  return compiled === null ? read() : compiled.values.during(variablesOf(model), read);
}

describe.skipIf(!canCompile())("a compiled step", () => {
  let tensors = 0;
  beforeAll(() => {
    tensors = nativeBackend().binding.getNumOfTensors();
  });
  afterEach(() => {
    for (const { model, compiled, trainer } of opened.splice(0)) {
      trainer.optimizer.dispose();
      compiled?.runner.dispose();
      compiled?.values.dispose();
      model.dispose();
    }
    expect(nativeBackend().binding.getNumOfTensors()).toBe(tensors);
  });

  const [whole, both] = [[CROPS], [CROPS, 8]];
  const settings: [string, GradientOptions, number[]?][] = [
    ["the paper's losses", {}, both],
    ["the released losses", { losses: { scene: "fidelity", distortion: "fidelity-released" } }],
    ["single-label fidelity and Thurstone's targets", { losses: { distortion: "fidelity", target: "thurstone" } }],
    ["weights of pairs by deviation", { losses: { pairWeight: "deviation" } }],
    ...(["kl", "emd", "plcc", "norm-in-norm", "huber", "margin", "bradley-terry"] as const).map(
      (quality): [string, GradientOptions] => [`the quality loss ${quality}`, { losses: { quality } }],
    ),
    ["the tasks' gradients measured", { use: "measured" }],
    ["the tasks' gradients as weights", { use: "cosine" }, both],
    ["the text tower recomputed", { recompute: "text" }],
    ["both towers recomputed", { recompute: "always" }, both],
  ];
  it.each(settings.flatMap(([name, options, sizes = whole]) => sizes.map((size) => [name, size, options] as const)))(
    "has the eager step's losses and gradients with %s, %i crops at once",
    async (_, microBatch, options) => {
      const [eager, compiled] = [await openEager(microBatch), await openCompiled(microBatch)];
      const [wanted, found] = [await gradientsOf(eager, options), await gradientsOf(compiled, options)];
      expect(errorsOf(found.values, wanted.values)).toEqual([]);
      expect(relativeError(flat(found.values), flat(wanted.values))).toBeLessThan(COMPILED);
      expect(relativeError(found.measures, wanted.measures)).toBeLessThan(COMPILED);
    },
  );

  it.each([
    ["text", (name: string) => isVision(name)],
    ["vision", (name: string) => !isVision(name)],
    ["all but the last norm", (name: string) => name.startsWith("ln_final")],
  ])("has them with %s frozen, whole and in pieces", async (_, isTrained) => {
    for (const microBatch of [CROPS, 8]) {
      const found: Values[] = [];
      for (const engine of ["never", "auto"] as const) {
        const model = await goldenModel();
        const trained = trainedNames(model).filter(isTrained);
        const variables = new Map([...variablesOf(model)].filter(([name]) => trained.includes(name)));
        const compiled = compileWeights(variables, EngineConfig.parse({ compile: engine }));
        const trainer = { ...goldenTrainer(model, microBatch), trained };
        const runner = compiled === null ? {} : { runner: compiled.runner, weights: compiled.values };
        const all = { model, compiled, trainer: { ...trainer, ...runner } };
        opened.push(all);
        found.push((await gradientsOf(all, { names: trained })).values);
      }
      const [wanted, ours] = found as [Values, Values];
      expect(wanted.size).toBeGreaterThan(0);
      expect(errorsOf(ours, wanted)).toEqual([]);
    }
  });

  it("has PyTorch's losses over four steps, and the eager step's over twelve", async () => {
    const compiled = await openCompiled();
    const targets = goldenTargets(compiled.model);
    for (const [step, learningRate] of meta.lrs.entries()) {
      const input = { pixels: goldenPixels(), targets, taskWeights: EVEN_WEIGHTS, learningRate };
      const { loss, gradientNorm } = await stepOn(compiled.trainer, input);
      expect([loss]).toBeAllClose([meta.totals[step] ?? NaN], { rtol: 1e-4, atol: 0 });
      const norm = goldenTensor(expected, "grad.global_norm").values;
      if (step === 0) expect([gradientNorm]).toBeAllClose(norm, { rtol: 1e-4, atol: 0 });
    }
    disposeTargets(targets);
    const [ours, theirs] = [await openCompiled(), await openEager()];
    const losses = (results: StepResult[]) => results.map(({ loss }) => loss);
    expect(losses(await steps(ours, 12, 1e-4))).toBeAllClose(losses(await steps(theirs, 12, 1e-4)), {
      rtol: LOSSES,
      atol: 0,
    });
  });

  it("updates weights, moments and averages bit for bit as the eager optimizer, with factors and a clipped norm", async () => {
    const all: { weights: Values; averages: Values; moments: unknown }[] = [];
    for (const compile of ["never", "auto"] as const) {
      const model = await goldenModel();
      const variables = variablesOf(model);
      const compiled = compileWeights(variables, EngineConfig.parse({ compile }));
      const names = [...variables.keys()];
      const learningRateFactors = new Map(names.map((name, i) => [name, [1, 0.5, 0.25][i % 3] ?? 1]));
      const kernel = compiled ?? "auto";
      const optimizer = new AdamW(variables, { weightDecay: 0.05, learningRateFactors, kernel });
      const averages = new ExponentialMovingAverage(variables, 0.9, 1, compiled);
      for (const [step, factor] of [1, 0.3, 1].entries()) {
        tf.tidy(() => {
          const gradients: Gradients = new Map(
            names.map((name) => {
              const { shape, values } = expectedGradient(model, name);
              return [
                name,
                tf.tensor(
                  values.map((value) => value * (1 + step)),
                  shape,
                ),
              ];
            }),
          );
          optimizer.apply(gradients, 1e-2 / (1 + step), factor);
        });
        averages.update(optimizer.step, optimizer.untouchedDecay);
      }
      const [trained, logitScale] = [names, model.logitScale()];
      const one = {
        model,
        compiled,
        trainer: { model, optimizer, trained, logitScale, clipNorm: null, microBatch: CROPS },
      };
      opened.push(one);
      const read = () =>
        new Map(names.map((name) => [name, Float32Array.from(model.parameters.read(name).dataSync())]));
      all.push({
        weights: await weightsOf(one),
        averages: await averages.during(read),
        moments: momentsOf(optimizer),
      });
      averages.dispose();
    }
    const [eager, compiled] = all;
    expect(compiled).toEqual(eager);
    expect(compiled?.weights).not.toEqual(compiled?.averages);
  });

  it("gives the same bits twice", async () => {
    const [first, second] = [await openCompiled(8), await openCompiled(8)];
    expect(await steps(first, 2)).toEqual(await steps(second, 2));
    expect(await weightsOf(first)).toEqual(await weightsOf(second));
  });

  it("bakes in neither labels nor weights of tasks nor the rate", async () => {
    const [ours, theirs] = [await openCompiled(), await openEager()];
    await steps(ours, 1);
    await steps(theirs, 1);
    const input = (model: LiqeModel) => ({
      pixels: goldenPixels().map((value) => 255 - value),
      targets: goldenTargets(model, { tieMargin: 0.2, tieUnit: "deviation" }),
      taskWeights: { values: { quality: 0.1, scene: 3, distortion: 0.5 }, gradients: "ignored" } as const,
      learningRate: 1e-2,
    });
    const results = [];
    for (const { model, trainer } of [ours, theirs]) {
      const given = input(model);
      results.push((await stepOn(trainer, given)).loss);
      disposeTargets(given.targets);
    }
    expect(relativeError([results[0] ?? NaN], [results[1] ?? NaN])).toBeLessThan(COMPILED);
    const [found, wanted] = [await weightsOf(ours), await weightsOf(theirs)];
    expect(relativeError(flat(found), flat(wanted))).toBeLessThan(MOVED);
  });

  it("changes nothing where the loss is not finite, and says what is", async () => {
    const one = await openCompiled();
    await steps(one, 1);
    const before = await weightsOf(one);
    const state = momentsOf(one.trainer.optimizer);
    const targets = goldenTargets(one.model);
    const taskWeights = { values: { quality: NaN, scene: 1, distortion: 1 }, gradients: "ignored" } as const;
    const step = stepOn(one.trainer, { pixels: goldenPixels(), targets, taskWeights, learningRate: 1e-3 });
    await expect(step).rejects.toThrow(NonFiniteStepError);
    const error = (await step.catch((reason: unknown) => reason)) as NonFiniteStepError;
    expect(error.gradients).toHaveLength(trainedNames(one.model).length);
    expect(Number.isFinite(error.result.losses.quality)).toBe(true);
    disposeTargets(targets);
    expect(await weightsOf(one)).toEqual(before);
    expect(momentsOf(one.trainer.optimizer)).toEqual(state);
  });

  it("computes again what it is to compute again: TensorFlow would merge it without control edges", async () => {
    const controls = async (recompute: Recompute) => {
      const one = await openCompiled();
      await gradientsOf(one, { recompute });
      const { functions } = one.compiled?.runner as Compiler;
      return functions.reduce((sum, { controls: own }) => sum + own, 0);
    };
    expect(await controls("never")).toBe(0); // a narrow network keeps its norms
    expect(await controls("always")).toBeGreaterThan(await controls("text"));
    expect(await controls("text")).toBeGreaterThan(0);
  });

  it("has the eager step's gradients where XLA compiles it", async () => {
    const [found, wanted] = [await gradientsOf(await open({ xla: "always" })), await gradientsOf(await openEager())];
    expect(errorsOf(found.values, wanted.values)).toEqual([]);
  });

  it("goes on while JavaScript does", async () => {
    const one = await openCompiled();
    await steps(one, 1);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await steps(one, 3);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });

  it("keeps no tensor and no handle from step to step", async () => {
    const one = await openCompiled(8);
    await steps(one, 1);
    const counts = () => [tf.memory().numTensors, nativeBackend().binding.getNumOfTensors()];
    const before = counts();
    await steps(one, 5);
    expect(counts()).toEqual(before);
  });

  const hasUnits = allowsUnits(process.env["ONEDNN_MAX_CPU_ISA"]); // without, oneDNN's products end the process
  it.skipIf(!hasUnits)(
    "multiplies in bfloat16 where it is asked for: near float32's losses and gradients, and not equal to them",
    async () => {
      const [half, full] = [await open({ precision: "bfloat16" }), await openCompiled()];
      const [found, wanted] = [await gradientsOf(half), await gradientsOf(full)];
      const error = relativeError(flat(found.values), flat(wanted.values));
      expect(error).toBeLessThan(HALF_GRADIENT);
      expect(error).toBeGreaterThan(1e-4);
      const losses = (await steps(half, 5, 1e-4)).map(({ loss }) => loss);
      expect(losses).toBeAllClose(
        (await steps(full, 5, 1e-4)).map(({ loss }) => loss),
        { rtol: HALF_LOSS, atol: 0 },
      );
    },
  );
});

/** The reference's gradient, of the parameter's shape; its own token rows are more, so noise stands for those. */
function expectedGradient(model: LiqeModel, name: string): { shape: number[]; values: Float32Array } {
  const { shape, size } = model.parameters.variables.get(name) ?? tf.variable(tf.scalar(NaN));
  const { values } = goldenTensor(expected, `grad.${name}`);
  return { shape, values: Float32Array.from(values.subarray(0, size)) };
}

describe.skipIf(!canCompile())("Compiler", () => {
  it("refuses a function that reads a value, and leaves the engine as it was", async () => {
    const compiler = new Compiler("float32");
    const x = tf.tensor1d([1, 2]);
    const reads = ([y]: readonly tf.Tensor[]) => [
      tf.mul(y as tf.Tensor, tf.square(y as tf.Tensor).dataSync()[0] ?? NaN),
    ];
    await expect(compiler.run("reads", [x], reads)).rejects.toThrow("asked for while it is traced");
    expect([...tf.square(x).dataSync()]).toEqual([1, 4]);
    expect(compiler.functions).toEqual([]);
    compiler.dispose();
  });

  it("refuses a result whose shape depends on values, naming the operation", async () => {
    const compiler = new Compiler("float32");
    const x = tf.tensor1d([1, 0, 2]);
    const wheres = ([y]: readonly tf.Tensor[]) => {
      const backend = nativeBackend();
      backend.binding.executeOp("Unique", [], backend.getInputTensorIds([y as tf.Tensor]), 2);
      return [];
    };
    await expect(compiler.run("unique", [x], wheres)).rejects.toThrow(/Unique/);
    compiler.dispose();
  });

  it("makes a function for inputs of other shapes, and calls the one that it has for equal ones", async () => {
    const compiler = new Compiler("float32");
    const twice = ([x]: readonly tf.Tensor[]) => [tf.mul(x as tf.Tensor, 2)];
    for (const values of [[1, 2], [3, 4], [5]]) {
      const [result] = await compiler.run("twice", [tf.tensor1d(values)], twice);
      expect([...(result?.dataSync() ?? [])]).toEqual(values.map((value) => 2 * value));
    }
    expect(compiler.functions).toHaveLength(2);
    compiler.dispose();
  });

  it("fails as the operation does", async () => {
    const compiler = new Compiler("float32");
    const wrong = ([x]: readonly tf.Tensor[]) => {
      const { binding } = nativeBackend();
      const ids = nativeBackend().getInputTensorIds([x as tf.Tensor]);
      binding.executeOp("NoSuchOperation", [], ids, 1);
      return [];
    };
    await expect(compiler.run("wrong", [tf.scalar(1)], wrong)).rejects.toThrow(/NoSuchOperation/);
    compiler.dispose();
  });

  it("runs the same function eagerly and compiled", async () => {
    const f = ([x]: readonly tf.Tensor[]) => [tf.exp(x as tf.Tensor)];
    const compiler = new Compiler("float32");
    const [a, b] = [await EAGER.run("exp", [tf.scalar(2)], f), await compiler.run("exp", [tf.scalar(2)], f)];
    expect(a[0]).toBeAllClose(b[0]?.dataSync() ?? []);
    compiler.dispose();
  });
});
