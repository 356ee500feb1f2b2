import { pathGroups } from "./knownDatabase.js";
import { knownDatabase } from "./registry.js";

/** Layout of `liqe data synthesize`: images/<content>/<type>_<level>.png. Holds where a database has no own pattern. */
const SYNTHESIZED = {
  contentPattern: /^images\/([^/]+)\/[^/]+_[1-5]\.png$/,
  levelPattern: /^(images\/[^/]+\/[^/]+)_([1-5])\.png$/,
};

/**
 * Photograph that an image is a version of, as its path tells; null where it does not. A bootstrap then draws images
 * instead of contents.
 */
export function contentOf(database: string, image: string): string | null {
  const pattern = knownDatabase(database)?.contentPattern ?? SYNTHESIZED.contentPattern;
  const [content = null] = pathGroups(pattern, image.replace(/^\.\//, ""));
  return content;
}

/**
 * Distortion level of an image, as its path tells; null where it does not. Images of one series, that is one type of
 * distortion of one photograph, differ in their level alone.
 */
export function levelOf(database: string, image: string): { readonly series: string; readonly level: number } | null {
  const pattern = knownDatabase(database)?.levelPattern ?? SYNTHESIZED.levelPattern;
  const [series, level] = pathGroups(pattern, image);
  return series === undefined ? null : { series, level: Number(level) };
}
