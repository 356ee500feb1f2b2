import { createHash } from "node:crypto";
import { normalizePath } from "../lists/entries.js";
import { FINGERPRINTS } from "./fingerprints.js";
import type { KnownDatabase } from "./knownDatabase.js";
import { knownDatabase } from "./registry.js";

type ScoredImages = readonly { readonly image: string; readonly mos: number }[];

type Figures = NonNullable<KnownDatabase["published"]>;

/** Decimals of the published scores. */
const DECIMALS = 6;

/**
 * LIQE's figures that stand beside the results of a list: it is one of the ten test lists that they are means over, whose
 * images and scores it has, all of them and no others, whatever its file or database is called. Null for any other.
 */
export function publishedFigures(images: ScoredImages): Figures | null {
  const own = fingerprint(images);
  const name = NAMES.find((database) => FINGERPRINTS[database].tests.some((known) => known === own));
  return name === undefined ? null : (knownDatabase(name)?.published ?? null);
}

/** LIQE's SRCC on all images of a database, by the one that the model was trained on; empty for any other list. */
export function publishedAcross(images: ScoredImages): Readonly<Record<string, number>> {
  const own = fingerprint(images);
  const name = NAMES.find((database) => FINGERPRINTS[database].whole === own);
  return name === undefined ? {} : (knownDatabase(name)?.publishedAcross ?? {});
}

const NAMES = Object.keys(FINGERPRINTS) as (keyof typeof FINGERPRINTS)[]; // its own keys

/** Number of images, and half the SHA-256 of their names and scores in any order: as `fingerprints.ts` was made. */
function fingerprint(images: ScoredImages): string {
  const rows = images.map(({ image, mos }) => `${normalizePath(image)}\t${mos.toFixed(DECIMALS)}\n`);
  return `${rows.length} ${createHash("sha256").update(rows.sort().join("")).digest("hex").slice(0, 32)}`;
}
