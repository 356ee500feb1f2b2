import { existsSync } from "node:fs";
import path from "node:path";
import { PACKAGE_ROOT } from "../base/packageInfo.js";
import type { Reporter } from "../base/types.js";
import { type SavedResults, readResults } from "../evaluate/results/splitSummary.js";
import { RUN_FILES } from "../train/checkpoint/runFolder.js";

/** Name of the model in the box, a small one that comes with the package: what scores where no weights are named. */
export const BOX = "liqe-small";

/** Checkpoint of the model in the box, with the results that were measured of it. */
const BOX_FOLDER = path.join(PACKAGE_ROOT, "models", BOX);

/** The folder that a name of weights stands for: the model in the box by its name, unless something here is called so. */
export function boxByName(name: string): string {
  return name === BOX && !existsSync(name) ? BOX_FOLDER : name;
}

/** The weights that are named, else the model in the box, of which one line says what was measured. */
export async function namedOrBox(name: string | undefined, { note }: Pick<Reporter, "note">): Promise<string> {
  if (name !== undefined) return name;
  const results = await readResults(path.join(BOX_FOLDER, RUN_FILES.results));
  note(`no checkpoint is named: ${BOX} scores, the small model in the box, with ${measured(results)}`);
  return BOX;
}

/** Such as "SRCC .61 (.53 to .69) on 232 test images of clive". */
function measured({ databases }: SavedResults): string {
  return databases
    .map(({ name, images, subset, srcc: { value, low, high } }) => {
      const interval = `${twoDigits(low)} to ${twoDigits(high)}`;
      return `SRCC ${twoDigits(value)} (${interval}) on ${images} ${subset} images of ${name}`;
    })
    .join("; ");
}

function twoDigits(value: number | null | undefined): string {
  return (value ?? NaN).toFixed(2).replace(/^(-?)0\./, "$1.");
}
