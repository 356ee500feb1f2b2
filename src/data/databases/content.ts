import { nameInside } from "../archives/archive.js";
import type { ListedImage } from "../sample.js";
import { pathGroups } from "./knownDatabase.js";
import { knownDatabase } from "./registry.js";

/** Layout of `liqe data synthesize`: images/<content>/<type>_<level>.png. Holds where a database has no own pattern. */
const SYNTHESIZED = {
  contentPattern: /^images\/([^/]+)\/[^/]+_[1-5]\.png$/,
  levelPattern: /^(images\/[^/]+\/[^/]+)_([1-5])\.png$/,
};

/** Photograph that an image is a version of, as its list or else its path tells; null where neither does. */
export function contentOf({
  database,
  image,
  content,
}: Pick<ListedImage, "database" | "image" | "content">): string | null {
  if (content !== undefined) return content;
  const pattern = knownDatabase(database)?.contentPattern ?? SYNTHESIZED.contentPattern;
  const [told = null] = pathGroups(pattern, nameInside(image).replace(/^\.\//, ""));
  return told;
}

/** Distortion level that an image's path tells, or null. Images of one series differ in their level alone. */
export function levelOf(database: string, image: string): { readonly series: string; readonly level: number } | null {
  const pattern = knownDatabase(database)?.levelPattern ?? SYNTHESIZED.levelPattern;
  const [series, level] = pathGroups(pattern, nameInside(image));
  return series === undefined ? null : { series, level: Number(level) };
}
