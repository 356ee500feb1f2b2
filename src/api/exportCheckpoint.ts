/** `liqe export`: a checkpoint's weights in other formats, each of them proved to score the same. */
import { packageVersion } from "../base/packageInfo.js";
import type { EngineOptions } from "../cli/options.js";
import { createProgress } from "../cli/progress.js";
import { listenForStop } from "../cli/signals.js";
import { startEngine } from "../engine/engine.js";
import type { ExportSource } from "../export/exportFormat.js";
import type { Exported } from "../export/exportModel.js";
import { checkTargets, exportModel } from "../export/exportModel.js";
import { chooseFormats } from "../export/formats.js";
import type { GoldenScores } from "../export/golden/goldenScores.js";
import { goldenScores } from "../export/golden/goldenScores.js";
import { openModel } from "./load.js";
import { trainingRecord } from "./trainingRecord.js";

export interface ExportCommandOptions extends EngineOptions {
  readonly checkpoint: string;
  readonly format: string;
  readonly dtype: string | undefined;
  readonly out: string;
  readonly force: boolean;
}

/** Prints a line for each folder that was written: what read it back, and how far its scores were off. */
export async function exportCheckpoint(options: ExportCommandOptions): Promise<void> {
  const { checkpoint, format, dtype, out, force, engine, threads } = options;
  const formats = chooseFormats(format, dtype);
  await checkTargets(out, formats, force); // before anything is computed
  const progress = createProgress();
  const { notice, description } = await startEngine(engine, { threads: threads ?? "auto" });
  if (notice !== null) progress.note(notice);
  const stop = listenForStop(progress.note, "stopping after this format; nothing is kept. Once more stops at once");
  try {
    const { source, golden } = await openSource(checkpoint, description);
    const begin = ({ name }: { readonly name: string }) => {
      progress.note(`writing ${name} and reading it back`);
    };
    const exported = await exportModel(source, golden, { out, formats, force, signal: stop.signal, begin });
    for (const folder of exported) process.stdout.write(`${describe(folder)}\n`);
    const exitCode = stop.exitCode();
    if (exitCode !== undefined && exported.length === 0) process.exitCode = exitCode;
  } finally {
    stop.dispose();
    progress.stop();
  }
}

/** The weights and what they say; the model itself makes room again for those that read exports back. */
async function openSource(checkpoint: string, engine: string): Promise<{ source: ExportSource; golden: GoldenScores }> {
  const opened = await openModel(checkpoint);
  const { model, scorer, weights, state, source } = opened;
  try {
    const exported = {
      architecture: model.architecture,
      weights,
      grid: model.grid,
      promptFeatures: Float32Array.from(model.promptFeatures().dataSync()), // the engine may hand out its own memory
      training: state === null ? null : await trainingRecord(state, source),
      packageVersion: packageVersion(),
    };
    return { source: exported, golden: goldenScores(scorer, engine) };
  } finally {
    opened.dispose();
  }
}

function describe({ folder, dtype, parity }: Exported): string {
  const { runtime, tolerance, largestDifference } = parity;
  return (
    `${folder}: ${dtype}, read back by ${runtime}: quality within ${largestDifference.quality.toExponential(1)} ` +
    `(tolerance ${tolerance.quality})`
  );
}
