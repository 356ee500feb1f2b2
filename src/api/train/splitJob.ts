import type { RunConfig } from "../../train/runConfig.js";

/** One split to train, its folder and its config; the folder holds either nothing or this same run. */
export interface SplitJob {
  readonly folder: string;
  readonly split: number;
  readonly config: RunConfig;
}
