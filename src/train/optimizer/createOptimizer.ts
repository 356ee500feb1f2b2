import { getOrThrow } from "../../base/collections.js";
import { type CompiledWeights, momentsFrom } from "../../engine/adam.js";
import { canCompile, nativeBackend } from "../../engine/compile/binding.js";
import { Compiler } from "../../engine/compile/compile.js";
import { ResourceVariables } from "../../engine/compile/resourceVariables.js";
import type { Group } from "../../engine/cluster/collective.js";
import type { EngineConfig } from "../../engine/config.js";
import type * as tf from "../../engine/tf.js";
import type { LiqeModel } from "../../model/liqe.js";
import { USED_ROWS } from "../../model/parameters/parameters.js";
import type { Checkpoint } from "../checkpoint/checkpoint.js";
import type { RunConfig } from "../runConfig.js";
import { AdamW } from "./adamw.js";
import { ExponentialMovingAverage } from "./ema.js";
import { OptimizerShards } from "./shards.js";
import { learningRateFactors, tunedParameters, type Tuning } from "./parameterGroups.js";

/** Part of the section `train` that says what is trained, and how. */
type OptimizedConfig = Tuning & Pick<RunConfig["train"], "layerDecay" | "weightDecay" | "emaDecay" | "zero">;

/** Optimizer and moving averages of a model's parameters. */
interface Optimizing {
  /** Given. */
  readonly optimizer: AdamW;
  /** Shares of its state among processes; null where each keeps all of it. */
  readonly shards: OptimizerShards | null;
  /** Given, beginning at the model's own weights; null where weights are not averaged. */
  readonly averages: ExponentialMovingAverage | null;
  /** Names of the parameters that are trained. */
  readonly trained: readonly string[];
  /** Given: the weights, where functions are compiled; the model's variables then hold them only `during` something. */
  readonly compiled: CompiledWeights | null;
}

/**
 * AdamW over what the config trains, with its moments where a run goes on.
 * @param model       borrowed, and used by what is returned as long as that lives
 * @param checkpoint  to go on from; null for a new run
 * @param group       of processes that train together, each of which keeps its share of the moments with `zero: 1`
 * @throws {ConfigError} where a pattern of `freeze` or `lora.layers` fits no parameter
 * @throws {CheckpointError} where the optimizer's state does not fit the model
 */
export function createOptimizer(
  model: LiqeModel,
  { train, engine }: { readonly train: OptimizedConfig; readonly engine: EngineConfig },
  checkpoint: Checkpoint | null,
  group: Group | null = null,
): Optimizing {
  const { layerDecay, weightDecay, emaDecay } = train;
  const shapes = new Map([...model.parameters.variables].map(([name, { shape }]) => [name, shape]));
  const trained = tunedParameters(shapes, train);
  const variables = new Map([...model.parameters.variables].filter(([name]) => trained.includes(name)));
  const factors = learningRateFactors(model.parameters.variables.keys(), layerDecay);
  const untouchedRateFactor = factors.get(USED_ROWS) ?? 1; // the table's unused rows are where its used ones are
  const compiled = compileWeights(variables, engine);
  const kernel = compiled ?? "auto";
  const sizes = new Map([...variables].map(([name, { size }]) => [name, size]));
  const shards = group === null || train.zero === 0 ? null : new OptimizerShards(group, sizes);
  const own = shards?.own(variables) ?? variables;
  const optimizer = new AdamW(own, { weightDecay, learningRateFactors: factors, untouchedRateFactor, kernel });
  if (checkpoint?.optimizer) {
    const { optimizerSteps, untouchedDecay } = checkpoint.state;
    const others = [...momentsFrom(checkpoint.optimizer)].filter(([name]) => own.has(name) || !variables.has(name));
    optimizer.restore({ step: optimizerSteps, untouchedDecay, moments: new Map(others) });
  }
  const untouchedDecay = checkpoint?.state.averageUntouchedDecay ?? optimizer.untouchedDecay;
  const averages =
    emaDecay === null ? null : new ExponentialMovingAverage(variables, emaDecay, untouchedDecay, compiled);
  return { optimizer, shards, averages, trained, compiled };
}

/** Weights for compiled functions, taken over from the variables, which hold nothing then; null where none are compiled. */
export function compileWeights(
  variables: ReadonlyMap<string, tf.Variable>,
  engine: EngineConfig,
): CompiledWeights | null {
  if (engine.compile === "never" || !canCompile()) return null;
  const shapes = new Map([...variables].map(([name, { shape }]) => [name, shape]));
  const values = new ResourceVariables(shapes, (name) => getOrThrow(variables, name, "compileWeights"));
  values.empty(variables);
  const isByXla = engine.xla === "always" || (engine.xla === "auto" && nativeBackend().isUsingGpuDevice);
  return { values, runner: new Compiler(engine.precision, isByXla) };
}
