import type { TrainOptions, TrainSource } from "../../api/train/jobs.js";
import type { WorkEvent } from "../../api/work.js";
import { ConfigError } from "../../base/errors.js";
import { parseSplits } from "../arguments.js";
import { clusterOf } from "../cluster.js";
import { defineCommand, wrapFacts } from "../command.js";
import { EXIT } from "../exitCodes.js";
import { processesOf, runProcesses, stopWithParent } from "../processes.js";
import { engineOptions, flagOption, textOption, wholeNumberOption } from "../options.js";
import { createProgress, type Progress } from "../progress.js";
import { listenForStop, type StopRequest } from "../signals.js";

/** Options that say which one of several processes this is. */
const ONE_PROCESS = ["cluster", "rank"];

const SET = "change a value of the config: train.epochs=2";

export const trainCommand = defineCommand({
  command: "train",
  describe: "train a model, or resume a run",
  builder: (yargs) =>
    engineOptions(yargs)
      .option("config", textOption("a YAML file, or the name of one in configs/"))
      .option("set", { type: "string", array: true, nargs: 1, describe: SET })
      .option("split", textOption("a split or a range, 1-10  [default: 1]"))
      .option("out", textOption("the run's folder  [default: checkpoints/<run>]"))
      .option("resume", textOption("a run, or one split of it, to continue"))
      .option("dry-run", flagOption("check everything, try three steps, print time and memory; write nothing"))
      .option("processes", wholeNumberOption("processes", 1, "train by so many processes of this machine"))
      .option("gpus", textOption("train by one process a GPU: a number of them, or all"))
      .option("cluster", textOption("processes that train together: HOST:PORT,... by rank, or slurm"))
      .option("rank", wholeNumberOption("rank", 0, "which of them this process is, from 0; rank 0 writes"))
      .option(
        "cluster-timeout",
        wholeNumberOption("cluster-timeout", 1, "seconds until a silent process counts as lost  [default: 60]"),
      )
      .option("cluster-public", flagOption("allow addresses outside private networks: nothing is encrypted"))
      .conflicts("resume", ["config", "split", "out"])
      .conflicts("processes", ["gpus", ...ONE_PROCESS])
      .conflicts("gpus", ONE_PROCESS)
      .example("$0 train --config kadid.yaml --split 1-10", "")
      .example("$0 train --resume checkpoints/kadid", ""),
  handler: async ({ config, resume, split, dryRun, ...options }) => {
    const source = resume === undefined ? config : { resume };
    const processes = await processesOf(options);
    const isSeveral = processes !== null && processes.length > 1;
    const cluster = isSeveral ? undefined : clusterOf(options, process.env);
    if (source === undefined && (cluster?.rank ?? 0) === 0) {
      throw new ConfigError('liqe train: needs --config or --resume\nSee "liqe train --help".');
    }
    if (isSeveral && !dryRun) return runProcesses(processes, options);
    Object.assign(process.env, processes?.[0]); // the one GPU of this process
    if (cluster !== undefined) stopWithParent();
    const settings = { ...options, cluster, set: options.set ?? [], split: parseSplits(split ?? "1") };
    const progress = createProgress();
    const stop = listenForStop(progress.note);
    stop.setEffect("end"); // while it checks, nothing is there to be saved
    try {
      if (dryRun) {
        if (source === undefined || cluster !== undefined || isSeveral) {
          const several = isSeveral ? "--processes and --gpus" : "--cluster";
          throw new ConfigError(`--dry-run: is of one process, with --config or --resume; leave ${several} out`);
        }
        const { planTraining } = await import("../../api/train/dryRun.js");
        const plan = await planTraining(source, { ...settings, onProgress: progress.onEvent });
        progress.stop();
        process.stdout.write(wrapFacts(plan));
        return;
      }
      await runTraining(source, settings, { progress, stop });
    } finally {
      stop.dispose();
      progress.stop();
    }
  },
});

/** Trains, prints the tables, and sets the exit code: of a signal, or of images that could not be tested. */
export async function runTraining(
  source: TrainSource | undefined,
  settings: Omit<TrainOptions, "onProgress" | "signal">,
  { progress, stop }: { readonly progress: Progress; readonly stop: StopRequest },
): Promise<void> {
  const { train } = await import("../../api/train/train.js");
  const { benchmarkTable } = await import("../../evaluate/tables/benchmarkTable.js");
  const { splitTable } = await import("../../evaluate/tables/splitTable.js");
  const onProgress = (event: WorkEvent) => {
    progress.onEvent(event);
    if (event.kind === "phase" && event.phase === "training") stop.setEffect("save");
    else if (event.kind === "phase") stop.setEffect("end", "stopped; what was trained is saved");
    else if (event.kind === "results") {
      progress.stop();
      process.stdout.write(benchmarkTable(event.results));
    }
  };
  const { splits, summary, state } = await train(source, { ...settings, signal: stop.signal, onProgress });
  progress.stop();
  if (summary !== null) process.stdout.write(splitTable(summary));
  const hasFailed = splits.some(({ results }) => results?.databases.some(({ failed }) => failed.length > 0));
  const isStoppedByPeer = settings.cluster !== undefined && state === "stopped";
  const exitCode = stop.exitCode() ?? (hasFailed ? EXIT.data : isStoppedByPeer ? EXIT.peerLost : undefined);
  if (exitCode !== undefined) process.exitCode = exitCode;
}
