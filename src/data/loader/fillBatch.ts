import { DataError, StalledReadError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";
import type { DataConfig } from "../config.js";
import type { Sample } from "../sample.js";

/** An image that could not be used in a step, and why. */
export interface Unreadable {
  readonly file: string;
  readonly reason: string;
}

/** Which step of a run, counted as the batches are. */
interface StepKey {
  readonly seed: number;
  readonly epoch: number;
  readonly step: number;
}

/** Reads an image into its place of the batch. @throws {DataError} where it cannot be used */
export type Fill = (sample: Sample, index: number) => Promise<void>;

/** The images of one step with the list that each was taken from. */
export interface Candidate {
  readonly sample: Sample;
  /** The whole training list of its database. */
  readonly train: readonly Sample[];
}

/**
 * Fills a batch. With `replace`, the place of an image that cannot be used goes to another one of its database: the
 * first readable one that the step does not hold yet, in the list's order from a position drawn by
 * (seed, epoch, step, image). What a step trains on is then a function of these and of which files can be read.
 *
 * @param chosen  the images that the step asks for
 * @returns       the images that it got, and those that could not be used, in the order of their places
 * @throws {DataError} naming an image that cannot be used, with `stop`; or where no readable image is left
 */
export async function fillBatch(
  chosen: readonly Candidate[],
  place: StepKey,
  onUnreadable: DataConfig["onUnreadable"],
  fill: Fill,
): Promise<{ readonly samples: readonly Sample[]; readonly unreadable: readonly Unreadable[] }> {
  const samples = chosen.map(({ sample }) => sample);
  const attempt = async (sample: Sample, index: number): Promise<Unreadable | null> => {
    try {
      await fill(sample, index);
      return null;
    } catch (error) {
      const isReplaced = error instanceof DataError && !(error instanceof StalledReadError);
      if (!isReplaced || onUnreadable === "stop") throw error;
      return { file: sample.file, reason: error.message };
    }
  };
  const failures = await Promise.all(samples.map(attempt));
  const unreadable: Unreadable[] = [];
  // One after the other: what the first one takes is not there for the second.
  for (const [index, failure] of failures.entries()) {
    const wanted = chosen[index];
    if (failure === null || wanted === undefined) continue;
    unreadable.push(failure);
    for (const candidate of candidates(wanted, place, samples)) {
      const failed = await attempt(candidate, index);
      if (failed === null) {
        samples[index] = candidate;
        break;
      }
      unreadable.push(failed);
    }
    if (samples[index] === wanted.sample) throw nothingLeft(wanted.sample, failure);
  }
  return { samples, unreadable };
}

/** The database's other images, from the drawn position on. */
function candidates(
  { sample, train }: Candidate,
  { seed, epoch, step }: StepKey,
  taken: readonly Sample[],
): readonly Sample[] {
  const start = seededRandom(seed, "replace", epoch, step, sample.database, sample.image).integer(train.length);
  const files = new Set(taken.map(({ file }) => file));
  return [...train.slice(start), ...train.slice(0, start)].filter(({ file }) => !files.has(file));
}

function nothingLeft({ database }: Sample, { reason }: Unreadable): DataError {
  return new DataError(
    `${reason}; and no other image of ${database} that can be read is left to take its place in the step: ` +
      "mend the files, or lower imagesPerStep",
  );
}
