/** Groups of images dealt to parts in given shares, so that each part resembles the whole. */
import { groupBy } from "../../base/collections.js";
import type { Random } from "../../base/random.js";
import type { Sample } from "../sample.js";

/**
 * Places of a few images that are spread over the scores: the images in ascending order of MOS are cut into as many even
 * parts as images are asked for, and one of each part is drawn.
 * @param few  at most as many as there are images
 * @returns    places in ascending order
 */
export function drawAcrossScores(
  samples: readonly Pick<Sample, "mos" | "image">[],
  few: number,
  random: Pick<Random, "integer">,
): number[] {
  const ascending = samples
    .map(({ mos, image }, place) => ({ mos, image, place }))
    .sort((a, b) => a.mos - b.mos || (a.image < b.image ? -1 : 1));
  const borders = Array.from({ length: few + 1 }, (_, i) => Math.floor((i * samples.length) / few));
  const places = borders.slice(1).map((end, i) => {
    const start = borders[i] ?? 0; // one border more than parts
    return ascending[start + random.integer(end - start)]?.place ?? NaN;
  });
  return places.sort((a, b) => a - b);
}

/** Bins of equal numbers of images that the scores are cut into. */
const MOS_BINS = 10;

/** Strata of each image: its bin of scores, its distortion and its scenes, as numbers. */
export function strataOf(samples: readonly Pick<Sample, "mos" | "distortion" | "scenes">[]): number[][] {
  const order = samples.map((_, i) => i).sort((a, b) => (samples[a]?.mos ?? NaN) - (samples[b]?.mos ?? NaN) || a - b);
  const bins = new Array<number>(samples.length).fill(0);
  order.forEach((at, rank) => (bins[at] = Math.floor((MOS_BINS * rank) / samples.length)));
  const numbers = new Map<string, number>();
  const numberOf = (name: string) => {
    const known = numbers.get(name) ?? numbers.size;
    numbers.set(name, known);
    return known;
  };
  return samples.map(({ distortion, scenes }, i) =>
    [`mos ${bins[i] ?? 0}`, `distortion ${distortion ?? ""}`, ...scenes.map((scene) => `scene ${scene}`)].map(numberOf),
  );
}

interface Part {
  images: number;
  readonly share: number;
  /** Images of each stratum, by its number. */
  readonly strata: Map<number, number>;
}

/**
 * Deals whole groups to parts, the largest groups first. Of the parts that have room for a group it goes to the one that
 * lacks most of its strata; where none has room, to the one with the most room. So every part's number of images differs
 * from its share by less than the largest group has, unless a part had to be given a group in order not to be empty.
 * (After the iterative stratification of K. Sechidis et al., 2011, for groups in place of images.)
 * @param groups  group of each image, from 0
 * @param shares  of the parts, summing to 1; a part with share 0 stays empty
 * @returns       part of each group; null where there are fewer groups than parts with a share
 */
export function dealGroups(
  groups: readonly number[],
  strata: readonly (readonly number[])[],
  { shares, random }: { readonly shares: readonly number[]; readonly random: Random },
): number[] | null {
  const members = [...groupBy(groups.keys(), (image) => groups[image] ?? NaN)].sort(([a], [b]) => a - b);
  const parts = shares.map((share): Part => ({ images: 0, share, strata: new Map() }));
  if (members.length < shares.filter((share) => share > 0).length) return null;
  const totals = countStrata(groups.map((_, i) => strata[i] ?? []));
  const shuffled = random.shuffle(members).sort(([, a], [, b]) => b.length - a.length);
  const partOf = new Array<number>(members.length).fill(-1);
  for (const [group, images] of shuffled) {
    const counts = countStrata(images.map((image) => strata[image] ?? []));
    const chosen = choosePart(parts, images.length, { counts, totals, total: groups.length });
    give(parts[chosen], images.length, counts);
    partOf[group] = chosen;
  }
  fillEmpty(partOf, members, parts);
  return partOf;
}

function countStrata(strata: readonly (readonly number[])[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const stratum of strata.flat()) counts.set(stratum, (counts.get(stratum) ?? 0) + 1);
  return counts;
}

interface Need {
  readonly counts: ReadonlyMap<number, number>;
  readonly totals: ReadonlyMap<number, number>;
  readonly total: number;
}

function choosePart(parts: readonly Part[], size: number, { counts, totals, total }: Need): number {
  const room = parts.map((part) => part.share * total - part.images);
  const withRoom = room.flatMap((free, i) => (free >= size - 1e-9 && (parts[i]?.share ?? 0) > 0 ? [i] : []));
  const lack = parts.map((part) => {
    let sum = 0;
    for (const [stratum, count] of counts) {
      const wanted = part.share * (totals.get(stratum) ?? 0);
      sum += (count * (wanted - (part.strata.get(stratum) ?? 0))) / wanted;
    }
    return sum;
  });
  const most = (places: readonly number[], values: readonly number[]) =>
    places.reduce((best, i) => ((values[i] ?? NaN) > (values[best] ?? NaN) ? i : best), places[0] ?? 0);
  if (withRoom.length > 0) return most(withRoom, lack);
  return most(parts.flatMap(({ share }, i) => (share > 0 ? [i] : [])), room); // prettier-ignore
}

function give(part: Part | undefined, images: number, counts: ReadonlyMap<number, number>): void {
  if (part === undefined) return;
  part.images += images;
  for (const [stratum, count] of counts) part.strata.set(stratum, (part.strata.get(stratum) ?? 0) + count);
}

/** Gives each empty part with a share the smallest group of the part with the most groups. */
function fillEmpty(
  partOf: number[],
  members: readonly (readonly [number, readonly number[]])[],
  parts: readonly Part[],
) {
  parts.forEach(({ share }, empty) => {
    if (share === 0 || partOf.includes(empty)) return;
    const counts = parts.map((_, part) => partOf.filter((one) => one === part).length);
    const from = counts.indexOf(counts.reduce((a, b) => Math.max(a, b)));
    const own = members.filter(([group]) => partOf[group] === from).sort(([, a], [, b]) => a.length - b.length);
    const [smallest] = own;
    if (smallest !== undefined) partOf[smallest[0]] = empty;
  });
}
