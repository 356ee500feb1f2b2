import path from "node:path";
import { writeFileAtomic } from "../../base/files.js";
import { makeFolders, requireFolderPlace } from "../../base/folders.js";
import { crossPage } from "../../evaluate/report/crossPage.js";
import { buildCrossMatrix, type CrossMatrix } from "../../evaluate/results/crossMatrix.js";
import { evaluateCheckpoint, type EvaluateOptions, type Evaluation } from "./evaluate.js";
import { requireOnce } from "./leaderboard.js";
import { policyOf } from "./seenImages.js";
import { reporterOf } from "../work.js";

/** Options of `crossEvaluate`: those of `evaluate`, for several checkpoints and configs. */
export interface CrossOptions extends Omit<EvaluateOptions, "config" | "list" | "images" | "save"> {
  /** Folder for `matrix.json` and `matrix.html`; by default nothing is written. */
  readonly out?: string | undefined;
}

/**
 * Evaluates each checkpoint on the test lists of each config: the matrix of train sets by test sets. Images that a
 * checkpoint has learned from are left out, unless `seen` says otherwise.
 * @param checkpoints  as of `evaluate`, each once
 * @param configs  paths, or names from configs/
 * @param options  as of `evaluate`, and `out`
 * @throws {@link ConfigError} where a checkpoint or a config is named twice
 * @throws {@link CheckpointError}, {@link DataError}, {@link EngineError} as `evaluate`
 * @example
 * ```ts
 * import { crossEvaluate, train } from "liqe-train";
 *
 * const run = await train("kadid.yaml"); // a finished run is not trained again
 * const { tests, rows } = await crossEvaluate([run.best], ["kadid.yaml", "koniq.yaml"], { crops: 5 });
 * for (const { cells } of rows) console.log(tests, cells.map(({ srcc }) => srcc.value));
 * ```
 */
export async function crossEvaluate(
  checkpoints: readonly string[],
  configs: readonly string[],
  { out, ...options }: CrossOptions = {},
): Promise<CrossMatrix> {
  requireOnce("--checkpoint", checkpoints);
  requireOnce("--config", configs);
  if (out !== undefined) await requireFolderPlace(out);
  const { crops = 15, protocol = "liqe" } = options; // one way for all
  const seen = policyOf(options, "drop");
  const evaluations: Evaluation[][] = [];
  for (const checkpoint of checkpoints) {
    const own: Evaluation[] = [];
    for (const config of configs)
      own.push(await evaluateCheckpoint(checkpoint, { ...options, config, crops, protocol, seen, save: false }));
    evaluations.push(own);
  }
  const matrix = buildCrossMatrix(checkpoints, configs, evaluations);
  if (out !== undefined) await writeMatrix(matrix, path.resolve(out), options);
  return matrix;
}

async function writeMatrix(matrix: CrossMatrix, folder: string, options: CrossOptions): Promise<void> {
  await makeFolders(folder);
  await writeFileAtomic(path.join(folder, "matrix.json"), `${JSON.stringify(matrix, null, 2)}\n`);
  await writeFileAtomic(path.join(folder, "matrix.html"), crossPage(matrix));
  reporterOf(options).note(`${path.join(folder, "matrix.json")} and matrix.html written`);
}
