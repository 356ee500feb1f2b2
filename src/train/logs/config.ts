import { z } from "zod";
import { ConfigError } from "../../base/errors.js";

/** Programs that a run's measures are written for, beside its own `metrics.jsonl`. */
export const LoggingConfig = z
  .array(z.enum(["tensorboard", "mlflow"]))
  .default(["tensorboard"])
  .describe("programs that get the measures, beside metrics.jsonl: tensorboard, mlflow");

/** MLflow's server, where `logging` has `mlflow`. */
export const MlflowConfig = z
  .strictObject({
    trackingUri: z
      .url({ protocol: /^https?$/, error: "must be the http or https address of a tracking server" })
      .nullable()
      .default(null)
      .describe("address of the tracking server; null: MLFLOW_TRACKING_URI of the environment"),
    experiment: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe("experiment that the run is part of; null: MLFLOW_EXPERIMENT_NAME of the environment, or liqe"),
  })
  .readonly();
export type MlflowConfig = z.output<typeof MlflowConfig>;

/** Experiment where neither config nor environment names one. */
const EXPERIMENT = "liqe";

/** Server and experiment of a run. */
export interface MlflowTarget {
  readonly server: URL;
  readonly experiment: string;
}

/**
 * Target by the config, else by the environment; null where the run does not log to MLflow.
 * @throws {ConfigError} where neither names a server, or the environment's is no http or https address
 */
export function mlflowTarget(
  { logging, mlflow }: { readonly logging: readonly string[]; readonly mlflow: MlflowConfig },
  environment: NodeJS.ProcessEnv,
): MlflowTarget | null {
  if (!logging.includes("mlflow")) return null;
  const { MLFLOW_TRACKING_URI: uri, MLFLOW_EXPERIMENT_NAME: name } = environment;
  const address = mlflow.trackingUri ?? uri;
  if (address === undefined || address === "") {
    throw new ConfigError(
      "logging: mlflow needs the address of a tracking server: set mlflow.trackingUri, or MLFLOW_TRACKING_URI of the environment",
    );
  }
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new ConfigError(
      `MLFLOW_TRACKING_URI of the environment is "${address}"; only the http or https address of a tracking server is ` +
        "written to (mlflow server --port 5000 starts one)",
    );
  }
  return {
    server: new URL(address),
    experiment: mlflow.experiment ?? (name === undefined || name === "" ? EXPERIMENT : name),
  };
}
