/** Groups of images that no split parts. */
import { groupBy } from "../../base/collections.js";
import { DataError } from "../../base/errors.js";
import type { SignedImage } from "../audit/duplicates.js";
import { contentOf } from "../databases/content.js";
import { areNear } from "../images/look.js";
import { NearHashes } from "../images/nearHashes.js";
import type { Sample } from "../sample.js";

/** Group of each image, from 0 in the order of their first images: by a name; an image without one is its own group. */
export function groupsByName(names: readonly (string | null)[]): number[] {
  const links = new Links(names.length);
  for (const places of groupBy(names.keys(), (i) => names[i] ?? null)) {
    const [name, [first = 0, ...others]] = places;
    if (name !== null) for (const other of others) links.join(first, other);
  }
  return links.groups();
}

/** Names of the groups that a list's own column tells. @throws {DataError} where it tells none */
export function namesOfColumn(samples: readonly Sample[], place: string): (string | null)[] {
  const names = samples.map(({ content = null }) => content);
  if (names.some((name) => name !== null)) return names;
  throw new DataError(
    `${place}: no column tells groups; name one by --columns group=NAME, or take --by content or pixels`,
  );
}

/** Photographs that images are versions of, as their list or else their path tells. */
export function namesOfContents(samples: readonly Sample[]): (string | null)[] {
  return samples.map(contentOf);
}

/** Clusters of images that are the same or nearly the same picture as another one of their cluster. */
export interface Clusters {
  /** Group of each image: its cluster, joined with the others of its content. */
  readonly groups: readonly number[];
  /** Places of images of each cluster of at least two, by their first images. */
  readonly clusters: readonly (readonly number[])[];
}

/**
 * Clusters by the audit's signature, transitively: a near copy of a near copy is in the same cluster.
 * @param signatures  of the images, in their order
 * @param contents    names of their contents; null where none is told
 */
export function clustersByPixels(
  signatures: readonly SignedImage["signature"][],
  contents: readonly (string | null)[],
): Clusters {
  const near = new Links(signatures.length);
  for (const [, [first = 0, ...others]] of groupBy(signatures.keys(), (i) => signatures[i]?.pixels))
    for (const other of others) near.join(first, other);
  joinNear(near, signatures);
  const clusters = [...groupBy(signatures.keys(), (i) => near.first(i)).values()].filter(({ length }) => length > 1);
  const byName = groupBy(contents.keys(), (i) => contents[i] ?? null);
  for (const [name, [first = 0, ...others]] of byName) if (name !== null) for (const other of others) near.join(first, other); // prettier-ignore
  return { groups: near.groups(), clusters };
}

function joinNear(links: Links, signatures: readonly SignedImage["signature"][]): void {
  const hashed = signatures.flatMap((signature, at) => (signature.hash === null ? [] : [{ at, hash: signature.hash, signature }])); // prettier-ignore
  const near = new NearHashes(hashed.length);
  for (const { at, hash, signature } of hashed) {
    near.each(hash, (place) => {
      const other = hashed[place];
      if (other === undefined || links.first(other.at) === links.first(at)) return;
      if (areNear(signature, other.signature)) links.join(other.at, at);
    });
    near.add(hash);
  }
}

/** Disjoint sets of numbers from 0. */
class Links {
  readonly #parent: Int32Array;

  constructor(count: number) {
    this.#parent = Int32Array.from({ length: count }, (_, i) => i);
  }

  /** Least number of the set that a number is in. */
  first(i: number): number {
    let at = i;
    while (this.#up(at) !== at) {
      this.#parent[at] = this.#up(this.#up(at)); // halves the way for the next time
      at = this.#up(at);
    }
    return at;
  }

  join(a: number, b: number): void {
    const [one, other] = [this.first(a), this.first(b)];
    this.#parent[Math.max(one, other)] = Math.min(one, other);
  }

  /** Number of each one's set, from 0 in the order of their least numbers. */
  groups(): number[] {
    const numbers = new Map<number, number>();
    return Array.from(this.#parent, (_, i) => {
      const first = this.first(i);
      const known = numbers.get(first) ?? numbers.size;
      numbers.set(first, known);
      return known;
    });
  }

  #up(i: number): number {
    return this.#parent[i] ?? i;
  }
}
