import { placeOf } from "../images/requireImages.js";
import type { Sample, Subset } from "../sample.js";
import type { Finding } from "./findings.js";
import { correlation, hashDistance, type Signature } from "./perceptualHash.js";
import { findingAt } from "./sampleChecks.js";
import { knownContent } from "./splitChecks.js";

/**
 * Bits and correlation within which two pictures count as nearly the same. Of 120 different photographs no two are
 * nearer than 18 bits or more alike than 0.77; their versions in JPEG of quality 10 to 90, at half the size, in grey,
 * darkened or blurred stay within 4 bits and above 0.97.
 */
const NEAR_BITS = 8;
const NEAR_CORRELATION = 0.95;

/** A decoded image of a database: what it is recognized by, and in which list it stands in each split. */
export interface SignedImage {
  readonly sample: Sample;
  readonly signature: Signature;
  /** By the split's number. */
  readonly subsets: ReadonlyMap<number, Subset>;
}

/**
 * The same picture twice: across two lists of a split an error where the pixels are the same, a warning where they
 * nearly are, within one list a warning where they are the same. Splits of all databases count together, since a run
 * trains on all of their training lists. Versions of one content are left to `findSharedContents`; each image is
 * reported once, beside the first picture like it.
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

interface Copy {
  readonly image: SignedImage;
  readonly of: SignedImage;
  readonly isExact: boolean;
  readonly crossing: Crossing | null;
}

interface Crossing {
  readonly split: number;
  readonly here: Subset;
  readonly there: Subset;
}

/** Of several copies of one picture each is held against one in another list, where there is one, else the first. */
function exactCopies(images: readonly SignedImage[]): Copy[] {
  const groups = new Map<string, SignedImage[]>();
  for (const image of images) {
    const group = groups.get(image.signature.pixels);
    if (group === undefined) groups.set(image.signature.pixels, [image]);
    else group.push(image);
  }
  return [...groups.values()].flatMap((group) =>
    group.slice(1).flatMap((image, i) => {
      const before = group.slice(0, i + 1);
      const of = before.find((other) => crossingOf(image, other) !== null) ?? before[0];
      return of === undefined ? [] : [{ image, of, isExact: true, crossing: crossingOf(image, of) }];
    }),
  );
}

/** Every pair is compared: 10,000 images are 50 million pairs of two words, under a second. */
function* nearCopies(images: readonly SignedImage[]): Generator<Copy> {
  const hashed = images.flatMap((image) => {
    const { hash } = image.signature;
    return hash === null ? [] : [{ image, hash }];
  });
  for (const [i, { image, hash }] of hashed.entries()) {
    for (let j = 0; j < i; j++) {
      const other = hashed[j];
      if (other === undefined || hashDistance(hash, other.hash) > NEAR_BITS) continue;
      const crossing = crossingOf(image, other.image);
      if (crossing === null || isSameContent(image.sample, other.image.sample)) continue;
      if (correlation(image.signature.thumbnail, other.image.signature.thumbnail) < NEAR_CORRELATION) continue;
      yield { image, of: other.image, isExact: false, crossing };
      break;
    }
  }
}

/** The first split in which the two stand in different lists. */
function crossingOf(a: SignedImage, b: SignedImage): Crossing | null {
  for (const [split, here] of a.subsets) {
    const there = b.subsets.get(split);
    if (there !== undefined && there !== here) return { split, here, there };
  }
  return null;
}

function isSameContent(a: Sample, b: Sample): boolean {
  const content = knownContent(a);
  return a.database === b.database && content !== null && content === knownContent(b);
}

function describe({ image: { sample }, of, isExact, crossing }: Copy): Finding {
  const same = isExact ? "is the same picture as" : "is nearly the same picture as";
  const place = `${same} ${placeOf(of.sample)}`;
  if (crossing === null) return findingAt(sample, "copy", "warning", `${place}; keep one of them`);
  const { split, here, there } = crossing;
  const lists = `in split ${split} one is in ${there} and the other in ${here}`;
  const what = `${place}: ${lists}; keep both in one list, or one of them`;
  return findingAt(sample, isExact ? "copy" : "near-copy", isExact ? "error" : "warning", what);
}
