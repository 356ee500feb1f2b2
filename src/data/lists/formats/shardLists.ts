/** WebDataset's tar shards as lists: files of one key are a sample, an image with what is said of it. */
import path from "node:path";
import { groupBy } from "../../../base/collections.js";
import { DataError } from "../../../base/errors.js";
import { INSIDE, openArchive } from "../../archives/archive.js";
import type { Archive } from "../../archives/tar.js";
import { tableOf } from "./jsonLists.js";
import { parseJson } from "./jsonText.js";
import { isImageName, type ListTable, type ReadingChoice } from "./table.js";

/** True for the names of tars. */
export function isShard(file: string): boolean {
  return path.extname(file).toLowerCase() === ".tar";
}

/**
 * Reads the scores in a shard: `key.json` with any keys, or a number in `key.txt` or `key.cls`, beside `key.jpg`; null
 * where it has no image.
 * @throws {DataError} where it is cut off or damaged, a sample's JSON is, or a sample has two images
 */
export async function readShard(file: string, choice: ReadingChoice): Promise<ListTable | null> {
  const archive = await openArchive(file);
  const samples = [...groupBy(archive.names, keyOf)].filter(([, names]) => names.some(isImageName));
  const items: { line: number; value: Record<string, unknown> }[] = [];
  for (const [i, [, names]] of samples.entries()) {
    const [image = "", ...others] = names.filter(isImageName);
    if (others.length > 0) throw severalOf(file, "images", [image, ...others]);
    const told = await fieldsOf(archive, names, file);
    items.push({ line: i + 1, value: { ...told, [IMAGE]: `${path.basename(file)}${INSIDE}${image}` } });
  }
  const columns = { ...choice.columns, image: IMAGE };
  return tableOf(items, file, { ...choice, columns, format: choice.format ?? "webdataset" });
}

const IMAGE = "image in the shard";

function severalOf(file: string, what: string, names: readonly string[]): DataError {
  return new DataError(
    `${file}: one sample has several ${what}, ${names.join(" and ")}; write a shard with one of each`,
  );
}

/** Key of a member: its path up to the first dot of its name (webdataset's rule). */
function keyOf(name: string): string {
  const folder = name.lastIndexOf("/") + 1;
  const dot = name.indexOf(".", folder);
  return dot < 0 ? name : name.slice(0, dot);
}

async function fieldsOf(archive: Archive, names: readonly string[], file: string): Promise<Record<string, unknown>> {
  const ending = (wanted: string) => {
    const [first, ...others] = names.filter((name) => name.toLowerCase().endsWith(wanted));
    if (first !== undefined && others.length > 0) throw severalOf(file, `files ${wanted}`, [first, ...others]);
    return first;
  };
  const json = ending(".json");
  if (json !== undefined) {
    const { value } = parseJson((await archive.read(json)).toString("utf8"), `${file}${INSIDE}${json}`);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  }
  const text = ending(".txt") ?? ending(".cls");
  return text === undefined ? {} : { score: (await archive.read(text)).toString("utf8").trim() };
}
