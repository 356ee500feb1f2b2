import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import type { DataConfig } from "../../data/config.js";
import type { Precision } from "../../engine/compile/compile.js";
import type { NamedList } from "../../evaluate/scoring/predictions.js";
import { holdsCheckpoint, RUN_FILES, splitOf } from "../../train/checkpoint/runFolder.js";
import type { OpenedModel } from "../openModel.js";

/** Lists that were scored, and the way: all that tells one evaluation of a checkpoint from another. */
export interface EvaluationWay {
  readonly lists: readonly NamedList[];
  /** True where other checkpoints are compared with this one, so that lists may lack images which those have learned from. */
  readonly isCompared: boolean;
  /** Section of the config whose lists they are; null for a list of one's own. */
  readonly data: Pick<DataConfig, "databases"> | null;
  readonly protocol: string;
  readonly crops: number;
  /** Of the image encoder's products. */
  readonly precision: Precision;
  /** Prompts that were asked in place of the checkpoint's own; null for its own. */
  readonly prompts: object | null;
  /** Splits of the lists; several of a run are evaluated together. Null for a list of one's own. */
  readonly splits: readonly (number | null)[];
}

/** Parts of a checkpoint's own config that decide which evaluation is the run's own; null for keys of older ones. */
const OwnConfig = z.object({
  data: z.object({ databases: z.array(z.unknown()) }),
  evaluate: z.object({ protocol: z.string(), crops: z.number() }),
});

/**
 * Folder of results: the run's own for its test lists, protocol, crops and chosen checkpoint, else one of their own in
 * `evaluations/`, so that nothing is overwritten but by the same evaluation; null where the weights are part of no run.
 */
export function resultsFolder(
  { source, state }: Pick<OpenedModel, "source" | "state">,
  way: EvaluationWay,
): string | null {
  if (source.kind === "file") return null;
  const checkpoint = path.resolve(source.folder);
  const splitFolder = path.dirname(checkpoint);
  if (!existsSync(path.join(splitFolder, RUN_FILES.config))) return null;
  const run = way.splits.length > 1 && splitOf(splitFolder) !== null ? path.dirname(splitFolder) : splitFolder;
  const isChosen = [RUN_FILES.best, RUN_FILES.last].find((name) => holdsCheckpoint(path.join(splitFolder, name)));
  if (isChosen === path.basename(checkpoint) && isOwn(state, way)) return run;
  const { lists, splits, protocol, crops, precision, prompts } = way;
  const cut = (way.isCompared ? lists : []).filter(isCut).map(({ samples }) => samples.map(({ image }) => image));
  const left = cut.length === 0 ? {} : { left: cut };
  const other = {
    ...left,
    ...(precision === "float32" ? {} : { precision }),
    ...(prompts === null ? {} : { prompts }),
  };
  const files = lists.map(({ subset, samples }) => [subset, [...new Set(samples.map(({ list }) => list))]]);
  const facts = JSON.stringify({
    files,
    splits,
    protocol,
    crops,
    ...other,
    checkpoint: path.relative(run, checkpoint),
  });
  const hash = createHash("sha256").update(facts).digest("hex").slice(0, 8);
  const names = [...new Set(lists.map(({ name }) => name))]
    .join("-")
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .slice(0, 60);
  return path.join(run, RUN_FILES.evaluations, `${names}-${hash}`);
}

/** True of a list that lacks images which a checkpoint has learned from. */
function isCut({ seen }: NamedList): boolean {
  return seen?.policy === "drop" && seen.images > 0;
}

/** True where lists, protocol, crops, prompts and precision are those of the checkpoint's own evaluation. */
function isOwn(state: OpenedModel["state"], way: EvaluationWay): boolean {
  const { data, lists, isCompared, splits, protocol, crops, precision, prompts } = way;
  if (precision !== "float32" || prompts !== null || (isCompared && lists.some(isCut))) return false;
  const own = OwnConfig.safeParse(state?.config).data;
  if (own === undefined || data === null || lists.some(({ subset }) => subset !== "test")) return false;
  const isSplit = splits.length !== 1 || splits[0] === state?.split; // none where no list is there to be tested on
  const isSameData = JSON.stringify(data.databases) === JSON.stringify(own.data.databases);
  return isSplit && isSameData && protocol === own.evaluate.protocol && crops === own.evaluate.crops;
}
