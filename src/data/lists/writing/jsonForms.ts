/** Writers of lists in JSON: DeQA-Score, Q-Align, Q-Bench, Compare2Score. */
import { extentOf } from "../../../base/collections.js";
import { leftOutOf, type ListWriter, partName, partsOf, writeInto, type WrittenImage } from "./written.js";

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
  return `${image.split("/").at(-1) ?? image}->${mos}`;
}

/** Scores on 1 to 5, as DeQA-Score normalizes them: by the lowest and the highest of the whole list. */
export const writeDeqaLists: ListWriter = async (data, folder) => {
  const { least, most } = extentOf(data.images.map(({ mos }) => Number(mos)));
  const factor = most > least ? 4 / (most - least) : 0;
  const write = itemsWriter((image) => ({
    ...{ id: idOf(image), image: image.image, gt_score: Number(image.mos) },
    gt_score_norm: 1 + factor * (Number(image.mos) - least),
    ...deviationOf(image),
    ...(image.mosStd === null ? {} : { std_norm: factor * Number(image.mosStd) }),
  }));
  return write(data, folder);
};

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
