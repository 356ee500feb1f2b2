import { totalmem } from "node:os";
import { setImmediate } from "node:timers/promises";
import { NonFiniteLossError } from "../base/errors.js";
import { distortionClasses } from "../data/lists/readList.js";
import type { Batch } from "../data/loader/loader.js";
import { startLoader } from "../data/loader/loader.js";
import { batchTargets, disposeTargets } from "../losses/targets.js";
import { LiqeModel } from "../model/liqe.js";
import type { NamedArrays } from "../model/parameters/parameters.js";
import { TOKEN_EMBEDDING, USED_ROWS } from "../model/parameters/parameters.js";
import type { PromptGrid, Task } from "../model/prompts/promptGrid.js";
import { axisLabels } from "../model/prompts/promptGrid.js";
import type { Checkpoint } from "./checkpoint/checkpoint.js";
import { trainingState } from "./checkpoint/state.js";
import { chooseMemory } from "./cost/memory.js";
import type { StepFlops } from "./cost/stepFlops.js";
import { stepFlops } from "./cost/stepFlops.js";
import { diagnose } from "./logs/diagnosis.js";
import type { TrainingLogs } from "./logs/runLogs.js";
import { RunLogs } from "./logs/runLogs.js";
import type { RunProgress, StepRecord, StepOptions, Validation } from "./loop.js";
import type { AdamW } from "./optimizer/adamw.js";
import { momentsToArrays, createOptimizer } from "./optimizer/createOptimizer.js";
import type { ExponentialMovingAverage } from "./optimizer/ema.js";
import { frozenTowers } from "./optimizer/parameterGroups.js";
import type { RunPlan } from "./plan.js";
import { cropsPerStep } from "./plan.js";
import type { StepInput, StepResult, StepContext } from "./step.js";
import { NonFiniteStepError, trainStep } from "./step.js";

/**
 * A run at work: model, optimizer, loader and logs, and how they become a checkpoint. Keeps all of them until
 * `close()`.
 */
export class Trainer {
  /** What one step takes. */
  readonly flops: StepFlops;
  readonly #trainer: StepContext;
  readonly #batches: ReturnType<typeof startLoader>;
  /** Unreadable files that were named already. */
  readonly #reported = new Set<string>();

  private constructor(
    private readonly plan: RunPlan,
    readonly grid: PromptGrid,
    readonly model: LiqeModel,
    private readonly optimizer: AdamW,
    /** Null where weights are not averaged. */
    private readonly averages: ExponentialMovingAverage | null,
    /** Names of the parameters that are trained. */
    readonly trained: readonly string[],
    private readonly logs: TrainingLogs,
  ) {
    const { train, seed, data, augment } = plan.settings;
    const crops = cropsPerStep(plan);
    const network = { architecture: model.architecture, tree: model.promptTree };
    const { microBatch, recompute } = chooseMemory(train, { ...network, crops }, totalmem());
    this.#trainer = {
      model,
      optimizer,
      trained,
      logitScale: model.logitScale(),
      clipNorm: train.clipNorm,
      microBatch,
      recompute,
      patchMemory: new Float32Array(crops * model.cropSize),
    };
    const freeze = frozenTowers(trained);
    this.flops = stepFlops(network, { images: crops / train.cropsPerImage, crops, microBatch, recompute, freeze });
    this.#batches = startLoader(plan.databases, {
      seed,
      cropsPerImage: train.cropsPerImage,
      stepsPerEpoch: train.stepsPerEpoch,
      scenes: axisLabels(grid, "scene")?.length ?? plan.labels.scenes.length,
      images: data,
      note: plan.reports.note,
      augment: augment.contents === 0 ? null : { ...augment, distortionOf: distortionClasses(plan.labels) },
    });
  }

  /**
   * @param weights     to begin with; those of `checkpoint` where a run is resumed
   * @param checkpoint  to go on from; null for a new run
   * @param ownLogs     null: those of the run, in its folder
   * @throws {CheckpointError} where the optimizer's state does not fit the model
   */
  static async open(
    plan: RunPlan,
    grid: PromptGrid,
    weights: NamedArrays,
    checkpoint: Checkpoint | null,
    ownLogs: TrainingLogs | null = null,
  ): Promise<Trainer> {
    const raw = new Map([...weights, ...(checkpoint?.raw ?? [])]);
    const model = new LiqeModel(raw, grid, checkpoint?.optimizer?.get(TOKEN_EMBEDDING));
    const { optimizer, averages, trained } = createOptimizer(model, plan.settings.train, checkpoint);
    if (checkpoint) averages?.restore(model.parameters.byVariable(weights));
    const logs = ownLogs ?? (await RunLogs.open(plan, checkpoint?.state.logBytes ?? { metrics: 0, events: 0 }));
    return new Trainer(plan, grid, model, optimizer, averages, trained, logs);
  }

  /** Tasks that the prompts ask about. */
  get tasks(): Task[] {
    return this.grid.axes.map(({ axis }) => axis);
  }

  /** Rejected when an image that is being read does not come; see `Loader.stalled`. */
  get stalled(): Promise<never> {
    return this.#batches.stalled;
  }

  /**
   * Waits for the step's batch, trains on it and records it.
   *
   * @returns null where the step was left out
   * @throws {NonFiniteLossError} where the loss or the gradient is not finite and the plan does not allow to skip it
   */
  async step(plan: StepOptions): Promise<StepResult | null> {
    const { position, weights, learningRate } = plan;
    const startedMs = performance.now();
    const batch = await this.#batches.get(position.epoch, position.step);
    const dataMs = performance.now() - startedMs;
    const targets = batchTargets(batch, this.grid.axes, this.plan.settings.losses);
    this.#reportUnreadable(batch);
    const result = this.#tryStep({ pixels: batch.pixels, targets, taskWeights: weights, learningRate });
    await setImmediate(); // signals and the loader get their turn: native operations hold the thread
    const measured = result instanceof NonFiniteStepError ? result.result : result;
    const record = {
      result: measured,
      position,
      weights: measured.weights,
      learningRate,
      images: batch.files.length,
      seconds: (performance.now() - startedMs) / 1000,
      dataSeconds: dataMs / 1000,
      unreadable: batch.unreadable.length,
      flops: this.flops.total,
    };
    if (result instanceof NonFiniteStepError) {
      await this.#notFinite(plan, batch, result);
      await this.logs.skipped(record);
      return null;
    }
    this.averages?.update(this.optimizer.step, this.optimizer.untouchedDecay);
    await this.logs.step(record);
    return result;
  }

  #tryStep(input: StepInput): StepResult | NonFiniteStepError {
    try {
      return trainStep(this.#trainer, input);
    } catch (error) {
      if (error instanceof NonFiniteStepError) return error;
      throw error;
    } finally {
      disposeTargets(input.targets);
    }
  }

  /** Saves the diagnosis. @throws {NonFiniteLossError} with where it is, unless the step may be skipped */
  async #notFinite(plan: StepOptions, batch: Batch, error: NonFiniteStepError): Promise<void> {
    const { stepsPerEpoch } = this.plan.settings.train;
    const file = await this.logs.diagnosis(diagnose(plan, stepsPerEpoch, batch.files, error));
    if (plan.maySkip) return;
    const { epoch, step } = plan.position;
    throw new NonFiniteLossError(
      `epoch ${epoch + 1}, step ${step + 1}: ${error.message}, or allow to leave such steps out (train.maxSkippedSteps)` +
        (file === null ? "" : `. ${file} has the batch and the gradients`),
      { cause: error },
    );
  }

  /** Says each unreadable file once. */
  #reportUnreadable({ unreadable }: Batch): void {
    for (const { file, reason } of unreadable) {
      if (this.#reported.has(file)) continue;
      this.#reported.add(file);
      this.plan.reports.note(`${reason}; others take its place (data.onUnreadable: replace)`);
    }
  }

  /** Records the end of an epoch. */
  async epochDone(last: StepRecord, progress: RunProgress, validation: Validation | null): Promise<void> {
    await this.logs.epoch(last, progress, validation);
  }

  /** Calls `work` while the model is the one to score with: with averaged weights, where they are kept. */
  async averaged<T>(work: () => Promise<T> | T): Promise<T> {
    return this.averages === null ? work() : this.averages.during(work);
  }

  /** Everything that going on from here needs; arrays are copies. */
  async checkpoint(progress: RunProgress): Promise<Checkpoint> {
    await this.logs.sync();
    const { step, untouchedDecay, moments } = this.optimizer.state();
    const { plan, averages } = this;
    const isTableTrained = this.trained.includes(USED_ROWS);
    const arrays = (decay: number) => this.model.arrays(isTableTrained ? decay : 1);
    const state = trainingState(plan, this.grid, progress, {
      optimizerSteps: step,
      untouchedDecay,
      averageUntouchedDecay: averages?.untouchedDecay ?? null,
      logBytes: this.logs.bytes,
    });
    return {
      state,
      weights: await this.averaged(() => arrays(averages?.untouchedDecay ?? untouchedDecay)),
      raw: averages === null ? null : this.#trainedOf(arrays(untouchedDecay)),
      optimizer: momentsToArrays(moments).set(TOKEN_EMBEDDING, this.model.parameters.untrainedTokens),
    };
  }

  /** Those of a model's arrays that training changes. */
  #trainedOf(arrays: NamedArrays): NamedArrays {
    const isTrained = (name: string) => this.trained.includes(name === TOKEN_EMBEDDING ? USED_ROWS : name);
    return new Map([...arrays].filter(([name]) => isTrained(name)));
  }

  async close(): Promise<void> {
    this.#batches.close();
    this.optimizer.dispose();
    this.averages?.dispose();
    this.model.dispose();
    await this.logs.close();
  }
}
