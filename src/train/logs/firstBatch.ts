import path from "node:path";
import { writeFileAtomic } from "../../base/files.js";
import { encodeContactSheet, type Captioned } from "../../data/images/contactSheet.js";
import type { Batch } from "../../data/loader/loader.js";
import type { LiqeModel } from "../../model/liqe.js";
import { type Posterior, posteriorOf } from "../../model/posterior.js";
import { ModelScorer } from "../../model/scorer.js";
import { RUN_FILES } from "../checkpoint/runFolder.js";
import type { RunPlan } from "../plan.js";

/** Images that are shown: enough to see a wrong label or a turned picture. */
const SHOWN = 16;
const COLUMNS = 4;

/**
 * Writes `batch-0.jpg`: the first crop of the first batch's images as the model gets it, with its labels and what the
 * model says before it has learned from them.
 */
export async function writeFirstBatch({ folder, labels }: RunPlan, batch: Batch, model: LiqeModel): Promise<void> {
  const scorer = new ModelScorer(model);
  const side = Math.sqrt(model.cropSize / 3);
  const shown = Math.min(SHOWN, batch.pixels.length / model.cropSize / batch.cropsPerImage); // that were read here
  const pictures = Array.from({ length: shown }, (_, i): Captioned => {
    const start = i * batch.cropsPerImage * model.cropSize;
    const pixels = batch.pixels.subarray(start, start + model.cropSize);
    const said = posteriorOf(scorer.logits(pixels), scorer.axes);
    return { rows: side, cols: side, pixels, lines: captionOf(batch, i, { said, labels }) };
  });
  await writeFileAtomic(path.join(folder, RUN_FILES.firstBatch), await encodeContactSheet(pictures, COLUMNS));
}

/** Three lines: the image's name, its labels, and what the model says. */
export function captionOf(
  batch: Pick<Batch, "files" | "mos" | "scenes" | "distortions" | "databases">,
  i: number,
  {
    said,
    labels,
  }: { readonly said: Pick<Posterior, "quality" | "scene" | "distortion">; readonly labels: RunPlan["labels"] },
): string[] {
  const count = labels.scenes.length;
  const scenes = labels.scenes.filter((_, scene) => batch.scenes[i * count + scene] === 1);
  const mos = batch.mos[i] ?? NaN; // a distorted version and an image of a pair have none
  const distortion = Object.keys(labels.distortions)[batch.distortions[i] ?? -1];
  const words = (parts: readonly (string | undefined)[]) => parts.filter((part) => part !== undefined && part !== "");
  const score = Number.isNaN(mos) ? shareText(batch.databases, i) : `MOS ${Number(mos.toPrecision(4))}`;
  return [
    path.basename(batch.files[i] ?? ""),
    words([score, scenes.join(" + "), distortion]).join(", ") || "no label",
    `says ${words([said.quality.toFixed(2), said.scene, said.distortion]).join(", ")}`,
  ];
}

/** Share of people who prefer an image to the other one of its pair; undefined where it is of none. */
function shareText(databases: Batch["databases"], image: number): string | undefined {
  let start = 0;
  for (const { images, shares } of databases) {
    const share = shares?.[Math.floor((image - start) / 2)];
    if (image < start + images && share !== undefined) {
      return `${Math.round(100 * ((image - start) % 2 === 0 ? share : 1 - share))} % prefer it`;
    }
    start += images;
  }
  return undefined;
}
