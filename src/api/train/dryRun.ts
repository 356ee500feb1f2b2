import { extentOf } from "../../base/collections.js";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { formatBytes, formatDuration, plural } from "../../base/text.js";
import { type Database, eachOnce, listedImages } from "../../data/sample.js";
import { hostMemoryBytes } from "../../engine/memory.js";
import { gridOf } from "../../model/config.js";
import { holdsLast, runState } from "../../train/checkpoint/runState.js";
import { featureBytes, runCost, savings, keptImages } from "../../train/cost/cost.js";
import { isRidge } from "../../train/config.js";
import { stepBytes } from "../../train/cost/memory.js";
import { type Probe, PROBED_STEPS, probeTraining } from "../../train/cost/probe.js";
import { cropsPerStep, type RunPlan } from "../../train/plan.js";
import { reporterOf } from "../work.js";
import { checkRun, nearestFolder } from "./checkRun.js";
import { findJobs, type TrainOptions, type TrainSource } from "./jobs.js";

type RunCost = ReturnType<typeof runCost>;

/**
 * Checks a run and takes its first steps. Nothing is written.
 * @returns a table for people: network, data, work, memory, time and disk of the run; "" where it is finished
 * @throws the errors of {@link train} before it writes anything
 */
export async function planTraining(source: TrainSource, options: TrainOptions = {}): Promise<string> {
  const { jobs } = await findJobs(source, options, reporterOf(options));
  const [first, ...others] = jobs.length === 0 ? [] : await checkRun(jobs, { ...options, isDry: true });
  if (first === undefined) return "";
  const probe = await probeTraining(await taughtInPart(first));
  const { bavail, bsize } = await statfs(nearestFolder(first.folder));
  const { peakFlopsPerSecond } = first;
  const machine = { peakFlopsPerSecond, memoryBytes: hostMemoryBytes(), freeDiskBytes: bavail * bsize };
  return describePlan([planned(first), ...others.map(planned)], probe, machine);
}

/**
 * The plan with as many of its photographs as a probe looks at, scored by the teacher, or with the scores that the run
 * began with; nothing is written.
 */
async function taughtInPart(plan: RunPlan): Promise<RunPlan> {
  if (plan.teach === undefined) return plan;
  const databases = plan.databases.map(({ photos, ...database }) =>
    photos === undefined ? database : { ...database, photos: photos.slice(0, PROBED_STEPS * database.imagesPerStep) },
  );
  const isBegun = holdsLast(plan.folder);
  const taught = await plan.teach(databases, { folder: isBegun ? plan.folder : null, isBegun });
  return { ...plan, databases: taught.databases };
}

function planned(plan: RunPlan): PlannedSplit {
  const state = runState(plan.folder);
  return { ...plan, stepsDone: state.kind === "known" ? state.stepsDone : 0 };
}

/** One split of the run. */
export interface PlannedSplit extends Pick<RunPlan, "folder" | "split" | "config" | "databases"> {
  /** Optimizer steps of its checkpoint. */
  readonly stepsDone: number;
}

/** Machine that the run is planned for. */
export interface Machine {
  readonly peakFlopsPerSecond: number;
  readonly memoryBytes: number;
  /** Free space on the disk of the run's folder. */
  readonly freeDiskBytes: number;
}

const LABEL_WIDTH = 13;

/** Row of the table; one without a label continues the row above. */
type Row = readonly [label: string, text: string];

/** Table of the plan. @param splits  the probe is of the first */
export function describePlan(splits: readonly [PlannedSplit, ...PlannedSplit[]], probe: Probe, machine: Machine) {
  const [first] = splits;
  const costs = splits.map((split) => runCost(split, probe));
  const cheaper = savings(first, probe, machine.memoryBytes);
  const rows: Row[] = [
    ...whatRows(splits, probe),
    ...stepRows(first, probe, machine),
    ["time", timeText(costs)],
    ["disk", diskText(costs, machine)],
    ...cheaper.map((saving, i): Row => [i === 0 ? "cheaper" : "", savingText(saving)]),
  ];
  const lines = rows.map(([label, text]) => `${label.padEnd(LABEL_WIDTH)}${text}`.trimEnd());
  return [...lines, "nothing was written", ""].join("\n");
}

function whatRows(splits: readonly [PlannedSplit, ...PlannedSplit[]], { parameters }: Probe): Row[] {
  const [first, ...others] = splits;
  const { train, model, prompts } = first.config;
  const grid = gridOf(prompts);
  const run = others.length === 0 ? first.folder : `${dirname(first.folder)}: splits ${splitNames(splits)}`;
  const start = model.weights === "none" ? "from random weights" : `from ${model.weights}`;
  const network = model.preset === undefined ? `as in ${model.weights}` : `${model.preset}, ${start}`;
  const images = cropsPerStep(first) / train.cropsPerImage;
  const steps = `${formatCount(train.epochs)} epochs of ${formatCount(train.stepsPerEpoch)}`;
  const done = first.stepsDone > 0 ? `; ${formatCount(first.stepsDone)} are done` : "";
  return [
    ["run", run],
    ["network", network],
    ["parameters", `${millions(parameters.all)}, ${millions(parameters.trained)} of them trained${tuningText(train)}`],
    [
      "prompts",
      `${grid.prompts.length}: ${grid.axes.map(({ axis, labels }) => `${labels.length} x ${axis}`).join(", ")}`,
    ],
    ...teacherRows(first),
    ...first.databases.map((database): Row => ["database", databaseText(database, splits)]),
    [
      "steps",
      `${steps}, each of ${images} images x ${train.cropsPerImage} ${train.cropsPerImage === 1 ? "crop" : "crops"}${done}`,
    ],
  ];
}

/** Work of a teacher before the first step, or its outcome in a run that has begun; no row without one. */
function teacherRows({ config: { train, evaluate }, databases, stepsDone }: PlannedSplit): Row[] {
  if (train.teacher === null) return [];
  const photos = databases.reduce((sum, database) => sum + (database.photos?.length ?? 0), 0);
  const counted = `${formatCount(photos)} photographs`;
  if (stepsDone > 0) return [["teacher", `${train.teacher}: its scores of ${counted} are kept`]];
  const windows = `a model by ${evaluate.crops} ${evaluate.crops === 1 ? "window" : "windows"} each`;
  return [["teacher", `${train.teacher}: scores ${counted} once, before the first step, ${windows}`]];
}

/** Part of the network that is trained, in words; nothing for all of it. */
function tuningText({ tune, lora, probe, prompts }: RunPlan["config"]["train"]): string {
  if (tune === "lora") return `: adapters of rank ${lora.rank} (train.tune: lora)`;
  if (tune === "probe") return `: features of the prompts, by ${probe.solver} (train.tune: probe)`;
  if (tune === "prompts") {
    return `: ${prompts.vectors} context vectors ${prompts.scope === "shared" ? "of all prompts" : "of each prompt"} (train.tune: prompts)`;
  }
  return tune === "norms" ? ": layer norms and biases (train.tune: norms)" : "";
}

function splitNames(splits: readonly PlannedSplit[]): string {
  return splits.map(({ split }) => split).join(", ");
}

/** Numbers of a database's images in one split, or their least and most over several. */
function databaseText({ name, imagesPerStep, pairs, photos }: Database, splits: readonly PlannedSplit[]): string {
  const all = splits.flatMap(({ databases }) => databases.filter((one) => one.name === name));
  const extent = (sizes: readonly number[]) => {
    const { least, most } = extentOf(sizes);
    return least === most ? formatCount(least) : `${formatCount(least)} to ${formatCount(most)}`;
  };
  const counts = (subset: "train" | "val" | "test") =>
    extent(all.map((database) => eachOnce(database, listedImages(database)[subset]).length));
  const compared = extent(all.map((database) => database.pairs?.train.length ?? 0));
  const ofPairs = `${compared} pairs of ${counts("train")} to train on (${plural(imagesPerStep / 2, "pair")} a step)`;
  const scored = photos === undefined ? "" : " by the teacher's scores";
  const training = pairs === undefined ? `${counts("train")} to train on${scored} (${imagesPerStep} a step)` : ofPairs;
  return `${name}: ${training}, ${counts("val")} to validate, ${counts("test")} to test`;
}

function stepRows(split: PlannedSplit, probe: Probe, machine: Machine): Row[] {
  const { flops, network, seconds, dataSeconds, startSeconds } = probe;
  const { train } = split.config;
  const crops = cropsPerStep(split);
  const atOnce = Math.min(train.microBatch, crops);
  const prompts = `${formatFlops(flops.prompts)} for the prompts (${treeText(network.tree)})`;
  const speed = flops.total / seconds;
  const share =
    atOnce < crops && probe.secondsPerImage === null
      ? `${atOnce} of ${crops} crops at once, so images are encoded twice`
      : `all ${crops} crops at once`;
  const estimate = formatBytes(stepBytes(train, { ...network, crops }, train.recompute, atOnce));
  const parts =
    probe.secondsPerImage === null
      ? `${formatFlops(flops.images)} for ${crops} crops, ${prompts}`
      : isRidge(train)
        ? "a regression over all training images"
        : `cosines of ${crops} kept features with ${formatCount(network.tree.ends.length)} prompts`;
  return [
    ...featureRows(split, probe),
    ["a step", `${formatFlops(flops.total)}: ${parts}`],
    ...(isRidge(train)
      ? [["", `${formatSeconds(seconds)} by its work and the time of a regression over a few images`] as const]
      : ([
          ["", `${formatSeconds(seconds)} measured, ${formatSeconds(dataSeconds)} of it waiting for images`],
          ["", `the first step took ${formatSeconds(startSeconds)} more: it loads images and, once a run, compiles`],
        ] as const)),
    ...(probe.secondsPerImage === null
      ? [["", `${formatFlops(speed)}/s, ${formatPercent(speed / machine.peakFlopsPerSecond)} of what this machine multiplies`] as const] // prettier-ignore
      : []),
    ["memory", `${estimate} estimated for activations: ${share}`],
    [
      "",
      `${formatBytes(probe.peakBytes)} measured: all that this process held; the machine has ${formatBytes(machine.memoryBytes)}`,
    ],
  ];
}

/** Features that are computed once, before the first step; nothing where steps encode. */
function featureRows(split: PlannedSplit, probe: Probe): Row[] {
  const { secondsPerImage } = probe;
  if (secondsPerImage === null) return [];
  const { crops, validationCrops } = split.config.evaluate;
  const { train, val } = keptImages(split.databases);
  const size = formatBytes(featureBytes(split, probe));
  const seconds = formatSeconds((train + (val * validationCrops) / crops) * secondsPerImage);
  const windows = `${formatCount(train)} images x ${crops} windows and ${formatCount(val)} x ${validationCrops}`;
  return [["features", `${windows}, once: ${seconds}, ${size} kept on disk`]];
}

/** Tokens of the prompts in words. */
function treeText({ trunk, groups, groupSize, nodes }: Probe["network"]["tree"]): string {
  if (trunk > 0) return `a tree of ${formatCount(nodes)} tokens`;
  const whole = `${formatCount(nodes)} tokens, ${formatCount(groups)} prompts of ${groupSize}`;
  return `${whole}: the text tower is not causal, so each is encoded whole`;
}

function timeText(costs: readonly RunCost[]): string {
  const total = (of: (cost: RunCost) => number) => costs.reduce((sum, cost) => sum + of(cost), 0);
  const duration = (of: (cost: RunCost) => number) => formatDuration(total(of));
  const parts = [
    `${duration((cost) => cost.trainingSeconds)} training`,
    `${duration((cost) => cost.validationSeconds)} in ${formatCount(total((cost) => cost.validations))} validations`,
    `${duration((cost) => cost.evaluationSeconds)} evaluating`,
  ];
  return `${duration((cost) => cost.totalSeconds)}: ${parts.join(", ")}`;
}

function diskText(costs: readonly RunCost[], { freeDiskBytes }: Machine): string {
  const inTheEnd = costs.reduce((sum, { diskBytes }) => sum + diskBytes, 0);
  const { most: saving } = extentOf(costs.map(({ savingBytes }) => savingBytes));
  const isEnough = inTheEnd + saving < freeDiskBytes;
  const free = `${formatBytes(freeDiskBytes)} are free${isEnough ? "" : ", WHICH IS NOT ENOUGH"}`;
  return `${formatBytes(inTheEnd)} of checkpoints and logs, ${formatBytes(saving)} more while one is saved; ${free}`;
}

function savingText({ change, share, price }: ReturnType<typeof savings>[number]): string {
  return `${formatPercent(share)} less time: ${change} (${price ?? "the same training"})`;
}

function millions(count: number): string {
  if (count < 1e5) return formatCount(count);
  return `${(count / 1e6).toFixed(1)} million`;
}

function formatSeconds(seconds: number): string {
  return seconds < 60 ? `${seconds.toPrecision(2)} s` : formatDuration(seconds);
}

/** 1.95e12 → "1.95 TFLOP": three digits and the prefix that suits them. */
export function formatFlops(flops: number): string {
  const [divisor, prefix] = flops >= 1e12 ? [1e12, "T"] : flops >= 1e9 ? [1e9, "G"] : [1e6, "M"];
  const scaled = flops / divisor;
  return `${scaled < 999.5 ? scaled.toPrecision(3) : scaled.toFixed(0)} ${prefix}FLOP`;
}

/** 16000 → "16,000". */
function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** 0.123 → "12 %". */
function formatPercent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
