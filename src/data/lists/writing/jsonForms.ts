/** Writers of lists in JSON: DeQA-Score, Q-Align, Q-Bench, Compare2Score. */
import { extentOf } from "../../../base/collections.js";
import { softLevels } from "../../../base/distributions.js";
import { SUBSETS } from "../../sample.js";
import { leftOutOf, type ListWriter, partName, partsOf, type WrittenData, writeInto, type WrittenImage } from "./written.js"; // prettier-ignore

type Item = Readonly<Record<string, unknown>>;

/** Writer of one file of items for each subset. */
function itemsWriter(itemOf: (image: WrittenImage, all: readonly WrittenImage[]) => Item, folderOf = ""): ListWriter {
  return async (data, folder) => {
    for (const part of partsOf(data)) {
      const items = part.images.map((image) => ({ ...itemOf(image, data.images), ...labelsOf(image) }));
      await writeInto(folder, `${folderOf}${partName(data, part)}.json`, `${JSON.stringify(items, null, 2)}\n`);
    }
    return leftOutOf(data, ["unlisted"]);
  };
}

/** Labels, under keys that the programs of these forms do not look at. */
function labelsOf({ distortion, scenes, content }: WrittenImage): Item {
  return {
    ...(distortion === null ? {} : { distortion }),
    ...(scenes.length === 0 ? {} : { scene: scenes }),
    ...(content === null ? {} : { group: content }),
  };
}

function deviationOf({ mosStd }: WrittenImage): Item {
  return mosStd === null ? {} : { std: Number(mosStd) };
}

function idOf({ image, mos }: WrittenImage): string {
  return `${nameOf(image)}->${mos}`;
}

function nameOf(image: string): string {
  return image.split("/").at(-1) ?? image;
}

/** Levels of DeQA-Score, whose normalized scores are 1 to 5. */
const DEQA_LEVELS = 5;

/**
 * Lists as DeQA-Score has them. Scores are on 1 to 5 by the lowest and the highest of the whole list; soft levels follow from
 * score and deviation, the excellent one first. Where there are splits, all scores stand in `metas/mos.json` too, and the
 * subsets of one split alone, by the images' names, in `metas/split.json`.
 */
export const writeDeqaLists: ListWriter = async (data, folder) => {
  const { least, most } = extentOf(data.images.map(({ mos }) => Number(mos)));
  const factor = most > least ? (DEQA_LEVELS - 1) / (most - least) : 0;
  const write = itemsWriter((image) => {
    const score = 1 + factor * (Number(image.mos) - least);
    const deviation = image.mosStd === null ? null : factor * Number(image.mosStd);
    return {
      ...{ id: idOf(image), image: image.image, gt_score: Number(image.mos), gt_score_norm: score },
      ...(deviation === null ? {} : { level_probs: softLevels(score, deviation, DEQA_LEVELS).toReversed() }),
      ...deviationOf(image),
      ...(deviation === null ? {} : { std_norm: deviation }),
    };
  });
  await writeMetas(data, folder);
  return write(data, folder);
};

async function writeMetas({ images, splits }: WrittenData, folder: string): Promise<void> {
  const [split, ...others] = splits;
  if (split === undefined) return; // the one list has all
  const scores = images.map((image) => [image.image, { mos: image.mos, ...(image.mosStd === null ? {} : { std: image.mosStd }) }]); // prettier-ignore
  await writeInto(folder, "metas/mos.json", `${JSON.stringify(Object.fromEntries(scores), null, 2)}\n`);
  if (others.length > 0) return; // the form holds one
  const names = SUBSETS.filter((subset) => split[subset].length > 0).map((subset) => {
    return [subset, split[subset].map((at) => nameOf(images[at]?.image ?? ""))] as const;
  });
  await writeInto(folder, "metas/split.json", `${JSON.stringify(Object.fromEntries(names), null, 2)}\n`);
}

export const writeQAlignLists = itemsWriter((image) => ({
  ...{ id: idOf(image), image: image.image, gt_score: Number(image.mos), ...deviationOf(image), conversations: [] },
}));

/** Scores as strings, as Q-Bench has them. */
export const writeQBenchLists = itemsWriter((image) => {
  return { img_path: image.image, gt_score: image.mos, ...deviationOf(image) };
});

export const writeCompareLists = itemsWriter(({ image, mos, mosStd }) => {
  return { image, gt_score: Number(mos), std: mosStd === null ? null : Number(mosStd) };
});
