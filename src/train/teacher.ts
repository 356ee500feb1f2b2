/** Scores by a teacher in place of people's: kept in the run's folder, so that photographs are scored once. */
import { type FileHandle, open as openFile, readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { extentOf } from "../base/collections.js";
import { DataError } from "../base/errors.js";
import { isMissing } from "../base/files.js";
import { jsonOf, plural, problemLines } from "../base/text.js";
import type { Reporter } from "../base/types.js";
import { placeOf } from "../data/audit/findings.js";
import { requireScores, type ScoreNeeds } from "../data/audit/sampleChecks.js";
import { unpacked } from "../data/lists/packSamples.js";
import type { Database, ListedImage, SoftLabels, Taught } from "../data/sample.js";
import { perLevelOf } from "../losses/scores.js";
import { RUN_FILES } from "./checkpoint/runFolder.js";
import { hashImages } from "./checkpoint/seen.js";

/** Score of one photograph by a teacher. */
export interface TaughtScore {
  readonly quality: number;
  /** Standard deviation of the quality over the levels, on the same scale; null where the teacher tells none. */
  readonly deviation: number | null;
  /** Null where the teacher gives scores alone. */
  readonly probabilities: SoftLabels | null;
}

/** A teacher, opened. */
export interface Teacher {
  /** Changes with its weights, prompts and windows, or with its file of scores. */
  readonly key: string;
  /** True where its scores are expected levels; scores of other scales are aligned with them. */
  readonly isOfLevels: boolean;
  /** Scores photographs one after the other, in any order. @throws {DataError} naming those that it has no score of */
  score(images: readonly ListedImage[]): AsyncIterable<{ readonly file: string; readonly score: TaughtScore }>;
  close(): void;
}

/** Way of teaching a run. */
export interface TeachOptions {
  /** Folder that keeps the scores; null where nothing is written. */
  readonly folder: string | null;
  /** True where the run has a checkpoint, whose scores are kept whatever the teacher is now. */
  readonly isBegun: boolean;
  readonly open: () => Promise<Teacher>;
  /** Number of quality levels of the run. */
  readonly levels: number;
  /** Of the losses, of scores by a teacher. */
  readonly needs: ScoreNeeds;
  readonly stallSeconds: number;
  readonly reporter: Reporter;
}

const Probabilities = z.array(z.number());
const Header = z.object({ format: z.literal(1), key: z.string(), isOfLevels: z.boolean() });
const Line = z.object({
  sha256: z.string().length(64),
  quality: z.number(),
  deviation: z.number().nullable(),
  probabilities: z.object({ quality: Probabilities, scene: Probabilities, distortion: Probabilities }).nullable(),
});

/** Kept scores, by the SHA-256 of the images' files. */
interface Kept {
  readonly header: z.output<typeof Header>;
  readonly scores: ReadonlyMap<string, TaughtScore>;
  /** Length of the whole lines; what stands behind them was cut off while it was written. */
  readonly bytes: number;
}

/** Databases whose photographs have scores. */
export interface TaughtDatabases {
  readonly databases: readonly Database[];
  /** SHA-256 of the photographs' files. */
  readonly hashes: ReadonlyMap<string, string>;
}

/**
 * Databases whose photographs have a teacher's scores. Scores are kept by the images' bytes, and those that the folder
 * has already are not made again.
 * @throws {DataError} where a photograph has no score, or changed since the run began, or the losses lack something
 */
export async function teachDatabases(databases: readonly Database[], options: TeachOptions): Promise<TaughtDatabases> {
  const photos = databases.flatMap((database) => database.photos ?? []);
  if (photos.length === 0) return { databases, hashes: new Map() };
  const { folder, isBegun, stallSeconds, reporter } = options;
  const hashes = await hashImages(photos, { stallSeconds, report: reporter.progress });
  const known = folder === null ? null : await readKept(path.join(folder, RUN_FILES.teacher));
  const isKept = ({ file }: ListedImage) => known?.scores.has(hashes.get(file) ?? "") === true;
  const missing = photos.filter((image) => !isKept(image));
  if (isBegun && missing.length > 0) throw changed(missing);
  const kept = isBegun && known !== null ? known : await scoreOthers({ photos, hashes, known }, options);
  const taught = databases.map((one) => (one.photos === undefined ? one : withScores(one, { kept, hashes }, options)));
  requireScores(
    taught.filter((one) => one.taught !== undefined),
    options.needs,
  );
  return { databases: taught, hashes };
}

function changed(missing: readonly ListedImage[]): DataError {
  const what = `${plural(missing.length, "photograph")} not scored by the teacher when the run began, or changed since`;
  return new DataError(
    problemLines(`${RUN_FILES.teacher}: ${what}; put the old files back, or begin a new run`, missing.map(placeOf), 5),
  );
}

interface Work {
  readonly photos: readonly ListedImage[];
  readonly hashes: ReadonlyMap<string, string>;
  readonly known: Kept | null;
}

/** Lines that are written at once. */
const LINES_AT_ONCE = 32;

/** Scores of all photographs: those that are kept of this very teacher, and the others by it. */
async function scoreOthers(
  { photos, hashes, known }: Work,
  { open, folder, reporter }: TeachOptions,
): Promise<Pick<Kept, "header" | "scores">> {
  const teacher = await open();
  let file: FileHandle | null = null;
  try {
    const header = { format: 1, key: teacher.key, isOfLevels: teacher.isOfLevels } as const;
    const same = known?.header.key === teacher.key ? known : null;
    const scores = new Map(same?.scores);
    file = folder === null ? null : await openKept(path.join(folder, RUN_FILES.teacher), header, same?.bytes ?? 0);
    const byHash = new Map(photos.map((image) => [hashes.get(image.file) ?? image.file, image]));
    const missing = [...byHash].filter(([hash]) => !scores.has(hash)).map(([, image]) => image);
    if (missing.length > 0) reporter.note(`${plural(missing.length, "photograph")} to be scored by the teacher`);
    let lines: string[] = [];
    const flush = async () => {
      await file?.appendFile(lines.join(""));
      lines = [];
    };
    for await (const { file: image, score } of teacher.score(missing)) {
      const sha256 = hashes.get(image) ?? image;
      scores.set(sha256, score);
      if (lines.push(`${JSON.stringify({ sha256, ...score })}\n`) >= LINES_AT_ONCE) await flush();
    }
    await flush();
    await file?.sync(); // a checkpoint that survives a crash of the machine needs them
    return { header, scores };
  } finally {
    await file?.close();
    teacher.close();
  }
}

/** Opens the file of kept scores for more lines, behind the whole ones of the same teacher; 0 bytes begin it anew. */
async function openKept(file: string, header: Kept["header"], bytes: number): Promise<FileHandle> {
  const handle = await openFile(file, "a");
  try {
    await handle.truncate(bytes);
    if (bytes === 0) await handle.appendFile(`${JSON.stringify(header)}\n`);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Reads kept scores; null where there are none. A line that was cut off while it was written is left out. */
async function readKept(file: string): Promise<Kept | null> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return "";
    throw error;
  });
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const [first = "", ...lines] = whole.split("\n");
  const header = Header.safeParse(jsonOf(first)).data;
  if (header === undefined) return null;
  const scores = lines.flatMap((line) => {
    const { data } = Line.safeParse(jsonOf(line));
    return data === undefined ? [] : [[data.sha256, data] as const];
  });
  return { header, scores: new Map(scores), bytes: Buffer.byteLength(whole) };
}

/** A database with its photographs' scores, and their scale: the levels', or the lowest and the highest score of it. */
function withScores(
  { photos = [], ...database }: Database,
  { kept, hashes }: { readonly kept: Pick<Kept, "header" | "scores">; readonly hashes: ReadonlyMap<string, string> },
  { levels }: TeachOptions,
): Database {
  const probabilities = new Map<string, SoftLabels>();
  const train = photos.map((image) => {
    const score = kept.scores.get(hashes.get(image.file) ?? image.file);
    if (score === undefined) throw new Error(`internal: teachDatabases: no score of ${image.file}`);
    if (score.probabilities !== null) probabilities.set(image.file, score.probabilities);
    return { ...unpacked(image), mos: score.quality, mosStd: score.deviation };
  });
  const { least, most } = extentOf(train.map(({ mos }) => mos));
  const { isOfLevels } = kept.header;
  const scale = isOfLevels ? { mosLowest: 1, mosSpan: levels - 1 } : { mosLowest: least, mosSpan: most - least };
  if (!(scale.mosSpan > 0))
    throw new DataError(
      `data.databases: ${database.name}: the teacher scores all photographs ${least}; nothing is told`,
    );
  const taught: Taught = { ...scale, perLevel: perLevelOf(scale.mosSpan, levels), probabilities };
  return { ...database, train, taught };
}
