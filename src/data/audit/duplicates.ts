import { createHash } from "node:crypto";
import { groupBy } from "../../base/collections.js";
import type { Image } from "../../model/preprocess/image.js";
import { contentOf } from "../databases/content.js";
import { areNear, type Look, lookOf } from "../images/look.js";
import { NearHashes } from "../images/nearHashes.js";
import type { ListedImage, Subset } from "../sample.js";
import { type Finding, findingAt, placeOf } from "./findings.js";

/** Decoded image of a database: its signature, and the list that holds it in each split. */
export interface SignedImage {
  readonly sample: ListedImage;
  readonly signature: Signature;
  /** By the split's number. */
  readonly subsets: ReadonlyMap<number, Subset>;
}

/**
 * Finds the same picture twice. Across two lists of a split it is an error where the pixels are the same and a warning
 * where they nearly are; within one list it is a warning where they are the same. Splits of all databases count
 * together, as a run trains on all. Versions of one content are left to `findSharedContents`.
 */
export function findDuplicates(images: readonly SignedImage[]): Finding[] {
  const reported = new Set<SignedImage>();
  const findings: Finding[] = [];
  for (const finding of [...exactCopies(images), ...nearCopies(images)]) {
    if (reported.has(finding.image)) continue;
    reported.add(finding.image);
    findings.push(describe(finding));
  }
  return findings;
}

type Copy = { readonly image: SignedImage; readonly of: SignedImage; readonly isExact: boolean };

/** Compares each copy of a picture with the first in another list, where there is one, else with the first of all. */
function exactCopies(images: readonly SignedImage[]): Copy[] {
  return [...groupBy(images, ({ signature }) => signature.pixels).values()].flatMap((group) => {
    const firsts = new FirstInLists();
    return group.flatMap((image, i) => {
      const of = group[firsts.otherThan(image) ?? 0];
      firsts.add(image, i);
      return of === undefined || i === 0 ? [] : [{ image, of, isExact: true }];
    });
  });
}

/** The first image of each list of each split, by which the first in another list than a given image's is found at once. */
class FirstInLists {
  readonly #first = new Map<number, Map<Subset, number>>();

  /** Place of the first image that some split has in another list than this one; null where there is none. */
  otherThan({ subsets }: SignedImage): number | null {
    let found: number | null = null;
    for (const [split, here] of subsets) {
      for (const [subset, place] of this.#first.get(split) ?? []) {
        if (subset !== here && (found === null || place < found)) found = place;
      }
    }
    return found;
  }

  add({ subsets }: SignedImage, place: number): void {
    for (const [split, subset] of subsets) {
      const firsts = this.#first.get(split) ?? new Map<Subset, number>();
      if (!firsts.has(subset)) firsts.set(subset, place);
      this.#first.set(split, firsts);
    }
  }
}

/** Compares each picture with those before it whose hashes are near, and yields the first of them that counts. */
function* nearCopies(images: readonly SignedImage[]): Generator<Copy> {
  const hashed = images.flatMap((image) => {
    const { hash } = image.signature;
    return hash === null ? [] : [{ image, hash }];
  });
  const firsts = new FirstInLists();
  const near = new NearHashes(hashed.length);
  for (const [i, { image, hash }] of hashed.entries()) {
    const isCopy = (place: number) => {
      const other = hashed[place]?.image;
      return (
        other !== undefined &&
        crossingOf(image, other) !== null &&
        !isSameContent(image.sample, other.sample) &&
        areNear(image.signature, other.signature)
      );
    };
    const place = firsts.otherThan(image) === null ? null : near.first(hash, isCopy); // else none before it can count
    const of = place === null ? undefined : hashed[place]?.image;
    if (of !== undefined) yield { image, of, isExact: false };
    firsts.add(image, i);
    near.add(hash);
  }
}

/** First split that has the two in different lists. */
function crossingOf(a: SignedImage, b: SignedImage) {
  for (const [split, here] of a.subsets) {
    const there = b.subsets.get(split);
    if (there !== undefined && there !== here) return { split, here, there };
  }
  return null;
}

function isSameContent(a: ListedImage, b: ListedImage): boolean {
  const content = contentOf(a);
  return a.database === b.database && content !== null && content === contentOf(b);
}

function describe({ image, of, isExact }: Copy): Finding {
  const { sample } = image;
  const same = isExact ? "is the same picture as" : "is nearly the same picture as";
  const place = `${same} ${placeOf(of.sample)}`;
  const crossing = crossingOf(image, of);
  if (crossing === null) return findingAt(sample, "copy", "warning", `${place}; keep one of them`);
  const { split, here, there } = crossing;
  const lists = `in split ${split} one is in ${there} and the other in ${here}`;
  const what = `${place}: ${lists}; keep both in one list, or one of them`;
  return findingAt(sample, isExact ? "copy" : "near-copy", isExact ? "error" : "warning", what);
}

interface Signature extends Look {
  /** SHA-256 of its size and pixels: equal for the same picture in another lossless file. */
  readonly pixels: string;
}

export function signatureOf(image: Image): Signature {
  const pixels = createHash("sha256").update(`${image.rows} ${image.cols} `).update(image.pixels).digest("base64");
  return { pixels, ...lookOf(image) };
}
