import { DataError } from "../../base/errors.js";
import { plural } from "../../base/text.js";
import type { Reporter } from "../../base/types.js";
import { areNear, unpackLook } from "../../data/images/look.js";
import { NearHashes } from "../../data/images/nearHashes.js";
import type { Sample, Subset } from "../../data/sample.js";
import type { NamedList } from "../../evaluate/scoring/predictions.js";
import { hashImages, type SeenRecord } from "../../train/checkpoint/seen.js";

/** Values of `--seen`: images that a checkpoint has learned from are an error, left out, or scored like any other. */
export type SeenPolicy = "refuse" | "drop" | "keep";

/** Policy where none is named: training lists are scored as they are, and `others` holds for the rest. */
export function policyOf(
  { seen, subset }: { readonly seen?: SeenPolicy | undefined; readonly subset?: Subset | undefined },
  others: SeenPolicy,
): SeenPolicy {
  return seen ?? (subset === "train" ? "keep" : others);
}

/** Images named in an error; the others are counted. */
const SHOWN_IMAGES = 5;

interface SeenOptions {
  readonly policy: SeenPolicy;
  readonly stallSeconds: number;
  readonly reporter: Reporter;
}

/**
 * Lists under a policy on images that the checkpoints have learned from, recognized by the bytes of their files whatever
 * their names. Images that chose among checkpoints (validation) are counted and noted, as are, once they are scored,
 * near copies of pictures that were trained on: they are never refused.
 * @param records  of every checkpoint that is to be compared; empty where none is known, and nothing can be said
 * @throws {DataError} with `refuse`, counting the images of all lists and naming the first five
 */
export async function applySeenPolicy(
  lists: readonly NamedList[],
  records: readonly SeenRecord[],
  { policy, stallSeconds, reporter }: SeenOptions,
): Promise<NamedList[]> {
  if (records.length === 0) return lists.map((list) => ({ ...list, seen: null }));
  const [trained, chosen] = [pathsBySum(records, "training"), pathsBySum(records, "validation")];
  const samples = lists.flatMap((list) => list.samples);
  const sums = await hashImages(samples, { stallSeconds, report: reporter.progress });
  const pathIn = (paths: ReadonlyMap<string, string>, { file }: Sample) => paths.get(sums.get(file) ?? "");
  const isSeen = (sample: Sample) => pathIn(trained, sample) !== undefined;
  const seen = samples.filter(isSeen);
  if (policy === "refuse" && seen.length > 0) {
    const named = seen.slice(0, SHOWN_IMAGES).map((sample) => `${sample.image} (${pathIn(trained, sample) ?? ""})`);
    throw seenRefused(seen.length, samples.length, named);
  }
  const nearestTo = looksIn(records);
  if (nearestTo === null) reporter.note(NO_LOOKS);
  return lists.map((list) => {
    const own = list.samples.filter(isSeen);
    noteCounts(
      list,
      { seen: own.length, chosen: list.samples.filter((one) => pathIn(chosen, one)).length, policy },
      reporter,
    );
    const kept = policy === "drop" ? list.samples.filter((sample) => !isSeen(sample)) : list.samples;
    const near = nearestTo === null ? {} : {
      nearTo: (sample: Sample, look: string) => (isSeen(sample) ? null : nearestTo(look)),
      onNearCopies: (copies: NearCopies) => { noteNearCopies(list, copies, reporter); },
    }; // prettier-ignore
    return { ...list, ...near, samples: kept, seen: { images: own.length, policy, nearCopies: null } };
  });
}

/**
 * Files among `files` that a checkpoint has learned from, recognized by their bytes, under a policy; see `applySeenPolicy`.
 * @throws {DataError} with `refuse`, where there are any
 */
export async function seenFiles(
  files: readonly string[],
  record: SeenRecord,
  { policy, stallSeconds, reporter }: SeenOptions,
): Promise<ReadonlySet<string>> {
  const trained = pathsBySum([record], "training");
  const sums = await hashImages(files.map((file) => ({ file })), { stallSeconds, report: reporter.progress }); // prettier-ignore
  const seen = files.filter((file) => trained.has(sums.get(file) ?? ""));
  if (policy !== "refuse" || seen.length === 0) return new Set(seen);
  const named = seen.slice(0, SHOWN_IMAGES).map((file) => `${file} (${trained.get(sums.get(file) ?? "") ?? ""})`);
  throw seenRefused(seen.length, files.length, named);
}

function seenRefused(seen: number, all: number, named: readonly string[]): DataError {
  const more = seen > SHOWN_IMAGES ? ", …" : "";
  return new DataError(
    `${seen} of ${plural(all, "image")} were trained on: ${named.join(", ")}${more}; ` +
      "leave them out (--seen drop), or score them all the same (--seen keep)",
  );
}

/** Path of each image of the records' one part, by its SHA-256. */
function pathsBySum(records: readonly SeenRecord[], part: "training" | "validation"): Map<string, string> {
  return new Map(records.flatMap((record) => record[part].map(({ sha256, path }) => [sha256, path] as const)));
}

type NearCopies = Parameters<NonNullable<NamedList["onNearCopies"]>>[0];

const NO_LOOKS = "near copies of training images are not known: the checkpoint was written before it kept what they look like"; // prettier-ignore

/** Finder of a picture that was trained on by the look of another one; null where a record has no looks of its images. */
function looksIn(records: readonly SeenRecord[]): ((look: string) => string | null) | null {
  const all = records.flatMap(({ training }) =>
    training.flatMap(({ path, look }) => (look === undefined ? [] : [{ path, look: unpackLook(look) }])),
  );
  const isTold = ({ training }: SeenRecord) => training.length === 0 || training.some(({ look }) => look !== undefined);
  if (all.length === 0 || !records.every(isTold)) return null;
  const known = all.flatMap(({ path, look }) => (look.hash === null ? [] : [{ path, look, hash: look.hash }]));
  const hashes = new NearHashes(known.length);
  for (const { hash } of known) hashes.add(hash);
  return (packed) => {
    const own = unpackLook(packed);
    const isNear = (place: number) => known[place] !== undefined && areNear(own, known[place].look);
    const place = own.hash === null ? null : hashes.first(own.hash, isNear);
    return place === null ? null : (known[place]?.path ?? null);
  };
}

function noteNearCopies({ name, samples }: NamedList, copies: NearCopies, { note }: Reporter): void {
  if (copies.length === 0) return;
  const named = copies.slice(0, SHOWN_IMAGES).map(({ image, of }) => `${image} (${of})`);
  const more = copies.length > SHOWN_IMAGES ? ", …" : "";
  const of = `of ${plural(samples.length, "image")}`;
  note(
    `${name}: ${copies.length} ${of} are near copies of training images, scored all the same: ${named.join(", ")}${more}`,
  );
}

function noteCounts(
  { name, subset, samples }: NamedList,
  { seen, chosen, policy }: { readonly seen: number; readonly chosen: number; readonly policy: SeenPolicy },
  { note }: Reporter,
): void {
  const of = `of ${plural(samples.length, "image")}`;
  if (seen > 0)
    note(`${name}: ${seen} ${of} were trained on, ${policy === "drop" ? "left out" : "scored all the same"}`);
  if (chosen > 0 && subset !== "train") {
    note(`${name}: ${chosen} ${of} chose among checkpoints (validation); the results are better than on new images`);
  }
}
