import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { groupBy } from "../base/collections.js";
import { NonFiniteLossError } from "../base/errors.js";
import { seededRandom } from "../base/random.js";
import type { Range } from "../base/types.js";
import { type ListedImage, trainingImages } from "../data/sample.js";
import { distortionClasses } from "../data/lists/entries.js";
import { type Batch, type Loader, startLoader } from "../data/loader/loader.js";
import { type Moments, momentsToArrays } from "../engine/adam.js";
import * as tf from "../engine/tf.js";
import { batchTargets, disposeTargets } from "../losses/targets.js";
import { kindOf } from "../model/architecture/architecture.js";
import { gridOf } from "../model/config.js";
import { LiqeModel } from "../model/liqe.js";
import { type NamedArrays, TOKEN_EMBEDDING, USED_ROWS } from "../model/parameters/parameters.js";
import { sizeOf } from "../model/parameters/shapes.js";
import { axisLabels, type Task } from "../model/prompts/promptGrid.js";
import { patchBatches } from "../model/vision/patches.js";
import { type AdapterRecord, isLora } from "./checkpoint/adapter.js";
import { type Checkpoint, saveCheckpoint, saveLast, trainingState } from "./checkpoint/checkpoint.js";
import { isRidge } from "./config.js";
import { stepFlops, type StepFlops } from "./cost/stepFlops.js";
import { type FeatureStore, fillFromFeatures } from "./features/featureStore.js";
import { ridgeStep, ridgeStepFlops } from "./features/ridgeProbe.js";
import { featureRequests, openFeatures } from "./features/runFeatures.js";
import { adapterOf, firstWeights } from "./firstWeights.js";
import { diagnose, RunLogs, type TrainingLogs } from "./logs/runLogs.js";
import type { CheckpointKind, StepOptions, StepRecord, Trainable } from "./loop.js";
import { createOptimizer } from "./optimizer/createOptimizer.js";
import type { StepDropout } from "./gradientCache.js";
import { frozenTowers } from "./optimizer/parameterGroups.js";
import { seenPath, type SeenRecord, withLooks } from "./checkpoint/seen.js";
import { cropsPerStep, imagesPerStep, type RunPlan } from "./plan.js";
import type { RunProgress, Validation } from "./progress.js";
import type { RankShare } from "./rankShare.js";
import { NonFiniteStepError, type StepContext, type StepInput, type StepResult, trainStep } from "./step.js";

/** Weights, moments, logs and validation that a trainer begins with. */
interface TrainerOptions {
  /** Checkpoint to go on from; null for a new run. */
  readonly checkpoint: Checkpoint | null;
  /** Scores the validation lists, from features where they are kept; null where it was given up on a request to stop. */
  readonly validate: (model: LiqeModel, features: FeatureStore | null) => Promise<Validation | null>;
  /** Record of the images that the run learns from; null where nothing is saved. */
  readonly seen: SeenRecord | null;
  /** By default the run's own, in its folder. */
  readonly logs?: TrainingLogs;
}

/** Keys of a step's dropout. */
const DROPOUT_KEYS = 2 ** 31;

function tensorsOf(crops: StepInput["crops"]): tf.Tensor[] {
  return "map" in crops ? crops.map(({ patches }) => patches) : [crops];
}

/** True of a checkpoint that holds weights alone. */
function isBest(kind: CheckpointKind): boolean {
  return kind === "best" || kind === "best-average";
}

/** Crops of a step that this process encodes. */
function ownCrops(plan: RunPlan): Range {
  const { cropsPerImage } = plan.config.train;
  const images = imagesPerStep(plan);
  const { start, end } = plan.share?.rangeOf(images) ?? { start: 0, end: images };
  return { start: start * cropsPerImage, end: end * cropsPerImage };
}

/** A run at work: model, optimizer, loader, logs and files. Keeps all of them until `close()`. */
export class Trainer implements Trainable<Validation> {
  /** Floating-point operations of one step. */
  readonly flops: StepFlops;
  readonly #context: StepContext;
  /** Training images by file, which two lists may name. */
  readonly #samplesOf: ReadonlyMap<string, readonly ListedImage[]>;
  /** Memory of a step's patches, laid out anew in each: quicker than new memory (docs/performance.md, Reading images). */
  readonly #patchMemory: Float32Array;
  /** Looks of the images of all steps so far, by their path in the record of seen images. */
  readonly #looks = new Map<string, string>();
  /** Unreadable files that were named already. */
  readonly #reported = new Set<string>();
  /** Moments of all parameters while a checkpoint is written, where each process keeps a share of them. */
  #moments: ReadonlyMap<string, Moments> | null = null;
  /** Settled where no step is being computed. */
  #computing: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly plan: RunPlan,
    readonly model: LiqeModel,
    private readonly optimizing: ReturnType<typeof createOptimizer>,
    private readonly ports: Pick<TrainerOptions, "validate" | "seen"> & {
      readonly logs: TrainingLogs;
      readonly loader: Loader;
      /** Null where pixels are read in each step. */
      readonly features: FeatureStore | null;
      readonly adapter: AdapterRecord | null;
    },
  ) {
    const { microBatch, recompute, clipNorm, cropsPerImage, tune } = plan.config.train;
    const crops = cropsPerStep(plan);
    const own = ownCrops(plan);
    const share = plan.share === null ? null : { of: plan.share, range: { first: own.start, crops } };
    const { optimizer, shards, trained, compiled } = optimizing;
    const engine = compiled === null ? {} : { runner: compiled.runner, weights: compiled.values };
    this.#context = {
      model,
      optimizer,
      shards,
      trained,
      logitScale: model.logitScale(),
      clipNorm,
      recompute,
      share,
      ...engine,
    };
    this.#samplesOf = groupBy(new Set(plan.databases.flatMap(trainingImages)), ({ file }) => file);
    this.#patchMemory = new Float32Array(ports.features === null ? (own.end - own.start) * model.cropSize : 0);
    const network = { architecture: model.architecture, tree: model.promptTree };
    const freeze = frozenTowers(trained);
    const isFromFeatures = ports.features !== null;
    const shape = { images: crops / cropsPerImage, crops, microBatch, recompute, freeze, tune, isFromFeatures };
    this.flops = isRidge(plan.config.train) ? ridgeStepFlops(plan) : stepFlops(network, shape);
  }

  /** @throws {CheckpointError} where weights are refused, or the optimizer's state does not fit the model */
  static async open(plan: RunPlan, { checkpoint, validate, seen, logs }: TrainerOptions): Promise<Trainer> {
    const weights = checkpoint?.weights ?? (await firstWeights(plan));
    const adapter = await adapterOf(plan, checkpoint);
    const raw = new Map([...weights, ...(checkpoint?.raw ?? [])]);
    const model = new LiqeModel(raw, gridOf(plan.config.prompts), {
      architecture: plan.architecture,
      untrainedTokens: checkpoint?.optimizer?.get(TOKEN_EMBEDDING),
      loraAlpha: adapter !== null && isLora(adapter) ? adapter.alpha : undefined,
      tokenizer: plan.tokenizer,
    });
    const engine = isRidge(plan.config.train)
      ? { ...plan.config.engine, compile: "never" as const }
      : plan.config.engine;
    const optimizing = createOptimizer(model, { ...plan.config, engine }, checkpoint, plan.share?.group);
    const features = openFeatures(model, plan, { weights, isKept: seen !== null });
    if (checkpoint) optimizing.averages?.restore(model.parameters.byVariable(weights));
    const ownLogs = logs ?? (await RunLogs.open(plan, checkpoint?.state.logBytes ?? { metrics: 0, events: 0 }));
    const { train, seed, data, augment } = plan.config;
    const loader = startLoader(plan.databases, {
      seed,
      cropsPerImage: train.cropsPerImage,
      window: model.window,
      stepsPerEpoch: train.stepsPerEpoch,
      scenes: axisLabels(model.grid, "scene")?.length ?? plan.labels.scenes.length,
      images: data,
      places: plan.share?.rangeOf(imagesPerStep(plan)),
      note: plan.reporter.note,
      augment: augment.contents === 0 ? null : { ...augment, distortionOf: distortionClasses(plan.labels) },
      fill: features === null ? undefined : fillFromFeatures(features, { seed, ...train, ...plan.config.evaluate }),
    });
    return new Trainer(plan, model, optimizing, { validate, seen, adapter, logs: ownLogs, loader, features });
  }

  /**
   * Computes the image features that the run learns from, where it learns from features; see `FeatureStore.fill`.
   * @returns false where a request to stop ended it: what is there is kept
   */
  async prepare(signal: Pick<AbortSignal, "aborted">): Promise<boolean> {
    const { features } = this.ports;
    if (features === null) return true;
    return features.fill(featureRequests(this.plan), { report: this.plan.reporter.progress, signal });
  }

  /** Images that were encoded for the run's features, and the seconds that took; null where it learns from pixels. */
  get encoded(): { readonly images: number; readonly seconds: number } | null {
    return this.ports.features?.encoded ?? null;
  }

  /** Tasks that the prompts ask about. */
  get tasks(): Task[] {
    return this.model.grid.axes.map(({ axis }) => axis);
  }

  /** Number of values that training changes. */
  get trainedValues(): number {
    return this.optimizing.trained.reduce((sum, name) => sum + sizeOf(this.model.parameters.read(name).shape), 0);
  }

  /** Rejected when an image that is being read does not come; see `Loader.stalled`. */
  get stalled(): Promise<never> {
    return this.ports.features?.stalled ?? this.ports.loader.stalled;
  }

  /**
   * Waits for the step's batch, trains on it and records it.
   * @returns null where the step was left out
   * @throws {NonFiniteLossError} where the loss or the gradient is not finite and the step may not be left out
   */
  async step(options: StepOptions): Promise<StepResult | null> {
    const { position, learningRate } = options;
    const startedMs = performance.now();
    if (isRidge(this.plan.config.train)) return this.#solve(options, startedMs);
    const { share } = this.plan;
    const peersBefore = share?.group.seconds ?? 0;
    const batch = await this.ports.loader.get(position.epoch, position.step);
    const dataSeconds = (performance.now() - startedMs) / 1000;
    this.#reportUnreadable(batch);
    this.#rememberLooks(batch);
    if (position.epoch === 0 && position.step === 0 && batch.features === undefined) {
      await this.#current(() => this.ports.logs.firstBatch(batch, this.model));
    }
    const input = { ...this.#inputOf(batch, options), dropout: this.#dropoutAt(position) };
    let outcome: StepResult | NonFiniteStepError;
    try {
      const taken = trainStep(this.#context, input);
      this.#computing = taken.catch(() => undefined);
      outcome = await taken;
    } catch (error) {
      if (!(error instanceof NonFiniteStepError)) throw error;
      outcome = error;
    } finally {
      disposeTargets(input.targets);
      tf.dispose(tensorsOf(input.crops));
    }
    await setImmediate(); // signals and the loader get their turn: native operations hold the thread
    const result = outcome instanceof NonFiniteStepError ? outcome.result : outcome;
    const seconds = (performance.now() - startedMs) / 1000;
    const counts = { images: batch.files.length, unreadable: batch.unreadable.length, flops: this.flops.total };
    const peersSeconds = share === null ? undefined : share.group.seconds - peersBefore;
    const record = {
      ...{ result, position, weights: result.weights, learningRate, seconds, dataSeconds, peersSeconds },
      ...counts,
    };
    if (outcome instanceof NonFiniteStepError) {
      await this.#notFinite(options, batch, outcome);
      await this.ports.logs.skipped(record);
      return null;
    }
    const { averages, optimizer } = this.optimizing;
    averages?.update(optimizer.step, optimizer.untouchedDecay);
    await this.ports.logs.step(record);
    return outcome;
  }

  /** Solves a probe in closed form: the only step of its run. */
  async #solve({ position, learningRate }: StepOptions, startedMs: number): Promise<StepResult> {
    const { databases, config } = this.plan;
    const { features: store } = this.ports;
    if (store === null) throw new Error("internal: Trainer: a probe without features");
    const settings = { databases, store, crops: config.evaluate.crops, lambda: config.train.probe.lambda };
    const solving = ridgeStep(this.model, settings);
    this.#computing = solving.catch(() => undefined);
    const result = await solving;
    const files = databases.flatMap(({ train }) => train.map(({ file }) => file));
    this.#rememberLooks({ files });
    const seconds = (performance.now() - startedMs) / 1000;
    const counts = { images: files.length, unreadable: 0, flops: this.flops.total };
    await this.ports.logs.step({ result, position, weights: result.weights, learningRate, seconds, dataSeconds: 0, ...counts }); // prettier-ignore
    return result;
  }

  /** Dropout of a step's adapters: a function of seed and position, so that a resumed run draws the same. */
  #dropoutAt({ epoch, step }: StepOptions["position"]): StepDropout | null {
    const { seed, train } = this.plan.config;
    if (train.tune !== "lora" || train.lora.dropout === 0) return null;
    return { rate: train.lora.dropout, key: seededRandom(seed, "lora dropout", epoch, step).integer(DROPOUT_KEYS) };
  }

  /** Tensors of a step, given: `crops` and `targets` are the caller's to free. */
  #inputOf({ pixels, features, ...labels }: Batch, { weights, learningRate }: StepOptions): StepInput {
    const { losses, train } = this.plan.config;
    const { vision, embedding } = this.model.architecture;
    const targets = batchTargets(labels, this.model.grid.axes, losses);
    if (features !== undefined) {
      const crops = tf.tensor2d(features, [features.length / embedding, embedding]);
      return { crops, targets, taskWeights: weights, learningRate };
    }
    const crops = patchBatches(pixels, vision, { size: train.microBatch, memory: this.#patchMemory });
    return { crops, targets, taskWeights: weights, learningRate };
  }

  /** Saves the diagnosis. @throws {NonFiniteLossError} with where it is, unless the step may be skipped */
  async #notFinite({ position, learningRate, maySkip }: StepOptions, { files }: Batch, error: NonFiniteStepError) {
    const { epoch, step } = position;
    const run = epoch * this.plan.config.train.stepsPerEpoch + step;
    const file = await this.ports.logs.diagnosis(diagnose(error, { epoch, step: run, learningRate, files }));
    if (maySkip) return;
    throw new NonFiniteLossError(
      `epoch ${epoch + 1}, step ${step + 1}: ${error.message}, or allow to leave such steps out (train.maxSkippedSteps)` +
        (file === null ? "" : `. ${file} has the batch and the gradients`),
      { cause: error },
    );
  }

  /** Names each unreadable file once. */
  #reportUnreadable({ unreadable }: Batch): void {
    for (const { file, reason } of unreadable) {
      if (this.#reported.has(file)) continue;
      this.#reported.add(file);
      this.plan.reporter.note(`${reason}; others take its place (data.onUnreadable: replace)`);
    }
  }

  /** Notes what the images of a step look like, for a record of what was learned from. */
  #rememberLooks({ files }: Pick<Batch, "files">): void {
    if (this.ports.seen === null) return;
    const { looks } = this.ports.features ?? this.ports.loader;
    for (const file of files) {
      const look = looks.get(file);
      for (const sample of this.#samplesOf.get(file) ?? [])
        if (look !== undefined) this.#looks.set(seenPath(sample), look);
    }
  }

  /** Adds what the images look like that the other processes have read. */
  async #gatherLooks({ group }: RankShare): Promise<void> {
    for (const looks of await group.gatherJson([...this.#looks])) {
      for (const [image, look] of looks) this.#looks.set(image, look);
    }
  }

  /** Validates the model that is saved as best: with averaged weights, where they are kept. */
  async validate(): Promise<Validation | null> {
    return this.#averaged(() => this.ports.validate(this.model, this.ports.features));
  }

  async endEpoch(last: StepRecord, progress: RunProgress, validation: Validation | null): Promise<void> {
    await this.ports.logs.epoch(last, progress, validation);
  }

  /** Writes a checkpoint into the run's folder; training goes on from each but the best ones, which hold weights alone. */
  async save(kind: CheckpointKind, progress: RunProgress): Promise<void> {
    const { share } = this.plan;
    if (share !== null) {
      await this.#gatherLooks(share);
      const { rank } = share.group;
      const { shards, optimizer } = this.optimizing;
      if (shards !== null && !isBest(kind)) this.#moments = await shards.gather(optimizer.state().moments);
      await share.group.alongside(() => (rank === 0 ? this.#write(kind, progress) : undefined));
      this.#moments = null;
    } else await this.#write(kind, progress);
  }

  async #write(kind: CheckpointKind, progress: RunProgress): Promise<void> {
    const { folder } = this.plan;
    const checkpoint = await this.checkpoint(progress);
    if (kind === "last") await saveLast(folder, checkpoint);
    else {
      await saveCheckpoint(
        path.join(folder, kind),
        isBest(kind) ? { ...checkpoint, raw: null, optimizer: null } : checkpoint,
      );
    }
  }

  /**
   * Everything that going on from here needs. Its arrays are read from the device one by one, when their values are
   * asked for, until the next step: all of them at once would take as much memory again as weights and moments.
   */
  async checkpoint(progress: RunProgress): Promise<Checkpoint> {
    const { optimizer, averages, trained, compiled } = this.optimizing;
    const { parameters, grid } = this.model;
    await this.ports.logs.sync();
    const { step, untouchedDecay, moments } = optimizer.state();
    const isTableTrained = trained.includes(USED_ROWS);
    const decay = (ofTrained: number) => (isTableTrained ? ofTrained : 1);
    const current = (name: string) => compiled?.values.arrayOf(name);
    const sizes = new Map([...parameters.variables].map(([name, { size }]) => [name, size]));
    const ofOptimizer = momentsToArrays(this.#moments ?? moments, sizes);
    if (isTableTrained) ofOptimizer.set(TOKEN_EMBEDDING, parameters.untrainedTokens);
    return {
      optimizer: ofOptimizer,
      adapter: this.ports.adapter,
      weights: parameters.arrays(
        decay(averages?.untouchedDecay ?? untouchedDecay),
        (name) => averages?.arrayOf(name) ?? current(name),
      ),
      kind: kindOf(this.model.architecture),
      tokenizer: this.plan.tokenizer,
      raw: averages === null ? null : this.#trainedOf(parameters.arrays(decay(untouchedDecay), current)),
      seen: this.ports.seen === null ? null : withLooks(this.ports.seen, this.#looks),
      state: trainingState(this.plan, grid, progress, {
        optimizerSteps: step,
        untouchedDecay,
        averageUntouchedDecay: averages?.untouchedDecay ?? null,
        logBytes: this.ports.logs.bytes,
      }),
    };
  }

  /** Calls `work` while the model holds the averaged weights, where they are kept. */
  async #averaged<T>(work: () => Promise<T> | T): Promise<T> {
    const { averages } = this.optimizing;
    return averages === null ? this.#current(work) : averages.during(work);
  }

  /** Calls `work` while the model holds the weights of the last step. */
  async #current<T>(work: () => Promise<T> | T): Promise<T> {
    const { compiled } = this.optimizing;
    return compiled === null ? work() : compiled.values.during(this.model.parameters.variables, work);
  }

  /** Those of a model's arrays that training changes. */
  #trainedOf(arrays: NamedArrays): NamedArrays {
    const { trained } = this.optimizing;
    const isTrained = (name: string) => trained.includes(name === TOKEN_EMBEDDING ? USED_ROWS : name);
    return new Map([...arrays].filter(([name]) => isTrained(name)));
  }

  /** Resolves when no step is computed: functions must not be freed, nor the process end, while they run. */
  async idle(): Promise<void> {
    await this.#computing;
  }

  async close(): Promise<void> {
    this.ports.loader.close();
    await this.idle();
    await this.ports.features?.close();
    this.optimizing.optimizer.dispose();
    this.optimizing.averages?.dispose();
    this.optimizing.compiled?.runner.dispose();
    this.optimizing.compiled?.values.dispose();
    this.model.dispose();
    await this.ports.logs.close();
  }
}
