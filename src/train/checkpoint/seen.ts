import { z } from "zod";
import { FILES_AT_ONCE, mapConcurrent, withTimeout } from "../../base/concurrency.js";
import { CheckpointError, StalledReadError } from "../../base/errors.js";
import { sha256OfImage } from "../../data/archives/archive.js";
import type { ReportProgress } from "../../base/types.js";
import { PACKED_LOOK } from "../../data/images/look.js";
import { type Database, type ListedImage, listedImages, type Sample } from "../../data/sample.js";

const SeenImages = z.array(
  z.strictObject({
    path: z.string(),
    sha256: z.string().length(64),
    look: z.base64().length(PACKED_LOOK).optional(), // as `packLook` has it, of pictures that training decoded
  }),
);

const SeenRecord = z.strictObject({ format: z.literal(1), training: SeenImages, validation: SeenImages });

/** Images that weights have learned from, and those that chose among them: `seen.json` of a checkpoint. */
export type SeenRecord = Readonly<z.output<typeof SeenRecord>>;

export const NOTHING_SEEN: SeenRecord = { format: 1, training: [], validation: [] };

/** Settings of making a record. */
interface RecordOptions {
  /** Seconds that a file may take. */
  readonly stallSeconds: number;
  readonly report: ReportProgress;
  /** SHA-256 of files that were read before. */
  readonly known?: ReadonlyMap<string, string>;
}

/**
 * Record of a run: every image of its training and validation lists, drawn or not, by the SHA-256 of its file, and all
 * that the first weights had learned from.
 * @param inherited  record of the weights that the run begins with; null where they have none
 * @throws {StalledReadError} where a file does not come within `stallSeconds`
 */
export async function recordSeen(
  databases: readonly Database[],
  inherited: SeenRecord | null,
  options: RecordOptions,
): Promise<SeenRecord> {
  const images = databases.map(listedImages);
  const [train, val] = [distinct(images.flatMap((one) => one.train)), distinct(images.flatMap((one) => one.val))];
  const hashes = await hashImages([...train, ...val], options);
  const imagesOf = (samples: readonly ListedImage[]) =>
    samples.flatMap(({ database, image, file }) => {
      const sha256 = hashes.get(file);
      return sha256 === undefined ? [] : [{ path: seenPath({ database, image }), sha256 }];
    });
  return {
    format: 1,
    training: [...(inherited?.training ?? []), ...imagesOf(train)],
    validation: [...(inherited?.validation ?? []), ...imagesOf(val)],
  };
}

/** Images, each once: one of several pairs is one image. */
function distinct(images: readonly ListedImage[]): ListedImage[] {
  return [...new Set(images)];
}

/** The record with the looks of pictures that training has decoded, by their path in it. */
export function withLooks(record: SeenRecord, looks: ReadonlyMap<string, string>): SeenRecord {
  const training = record.training.map((image) => {
    const look = image.look ?? looks.get(image.path);
    return look === undefined ? image : { ...image, look };
  });
  return { ...record, training };
}

/** Path of an image in the record. */
export function seenPath({ database, image }: Pick<Sample, "database" | "image">): string {
  return `${database}/${image}`;
}

/** SHA-256 of each file, 64 hexadecimal digits; files that cannot be read, which nothing can learn from, have none. */
export async function hashImages(
  samples: readonly Pick<Sample, "file">[],
  { stallSeconds, report, known = new Map() }: RecordOptions,
): Promise<Map<string, string>> {
  const hashes = new Map(known);
  const files = [...new Set(samples.map(({ file }) => file))].filter((file) => !known.has(file));
  let done = 0;
  await mapConcurrent(files, FILES_AT_ONCE, async (file) => {
    try {
      hashes.set(file, await withTimeout(sha256OfImage(file), stallSeconds, () => [file]));
    } catch (error) {
      if (error instanceof StalledReadError) throw error;
    }
    report({ label: "images' checksums", done: ++done, total: files.length, unit: "images" });
  });
  return hashes;
}

/** @throws {CheckpointError} where it is no such record */
export function parseSeen(file: string, json: unknown): SeenRecord {
  const { success, data } = SeenRecord.safeParse(json);
  if (success) return data;
  throw new CheckpointError(`${file}: is no record of seen images; was it changed, or written by another version?`);
}
