import { z } from "zod";
import { COLUMN_KINDS, FORMATS } from "./lists/formats/names.js";
import { DEFAULT_MAX_MEGAPIXELS, DEFAULT_STALL_SECONDS } from "../model/preprocess/image.js";

/** Fewest images of a database in a step: one image forms no pair. */
export const FEWEST_PER_STEP = 2;

/** Column or pattern by which a user's list tells the photograph that an image is a version of. */
const ContentRule = z
  .strictObject({
    column: z.string().min(1).optional().describe("CSV column that names the photograph that an image is a version of"),
    pattern: z
      .string()
      .min(1)
      .optional()
      .describe("regular expression on the path that names it: the first group, else the match"),
  })
  .refine(({ column, pattern }) => (column === undefined) !== (pattern === undefined), {
    error: 'must be one of { column: "..." } and { pattern: "..." }',
  })
  .refine(({ pattern }) => pattern === undefined || isPattern(pattern), {
    path: ["pattern"],
    error: "is no regular expression",
  })
  .readonly();

function isPattern(text: string): boolean {
  try {
    new RegExp(text, "u");
    return true;
  } catch {
    return false;
  }
}

/** File of a list, relative to its database's folder; `{split}` stands for the split's number. */
function listFile(subset: string) {
  const words = `${subset} list, in the database's folder; {split} is the split's number; default: as published, in splits2/`;
  return z.string().min(1).optional().describe(words);
}

/** Seed of a split that is drawn from one list; it does not change with the seeds of runs. */
export const DEFAULT_SPLIT_SEED = 1;

const DatabaseConfig = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be letters, digits, dots, dashes and underscores: it names files")
      .describe("one of the known databases, or your own name for yours"),
    folder: z.string().min(1).optional().describe("relative to root; a known database's own folder, else the name"),
    train: listFile("training"),
    val: listFile("validation"),
    test: listFile("test"),
    pairs: z
      .string()
      .min(1)
      .optional()
      .describe(
        "training list of pairs, in place of train: CSV of a,b,p, p the share of people who prefer a; val may be one too",
      ),
    photos: z
      .string()
      .min(1)
      .optional()
      .describe(
        "photographs without scores, which train.teacher scores: a folder, or a list of names, relative to the current folder",
      ),
    list: z.string().min(1).optional().describe("one list of all images, in place of train, val and test; with split"),
    source: z
      .string()
      .min(1)
      .optional()
      .describe("a list or folder in any form that `liqe data describe` knows, relative to the current folder"),
    format: z.enum(FORMATS).optional().describe("form of the source, where its contents do not tell"),
    columns: z
      .partialRecord(z.enum(COLUMN_KINDS), z.string().min(1))
      .optional()
      .describe("the source's columns, such as { image: file, mos: quality }"),
    direction: z.enum(["higher", "lower"]).optional().describe("which scores of the source are better"),
    decimal: z.enum(["point", "comma"]).optional().describe("sign before the decimals of the source's numbers"),
    split: z
      .string()
      .min(1)
      .optional()
      .describe(
        "percentages of the list's contents to train, validate and test on, such as 70/10/20; or the name of a source's own splits",
      ),
    splitSeed: z
      .int()
      .nonnegative()
      .optional()
      .describe(`seed of that split, ${DEFAULT_SPLIT_SEED} if not given; independent of the run's seed`),
    content: ContentRule.optional().describe(
      "which photograph an image is a version of; splits keep its versions together",
    ),
    mosStdFactor: z
      .number()
      .positive()
      .optional()
      .describe("factor that puts deviations on the scale of the MOS, such as 25 from 1 to 5 to 0 to 100"),
    imagesPerStep: z
      .int()
      .min(FEWEST_PER_STEP)
      .optional()
      .describe("images of this database in each training step; one image forms no pair. With sampling: quota alone"),
  })
  .superRefine((database, context) => {
    const { list, split, train, val, test, source, format, columns, direction, decimal } = database;
    const problem = (key: string, message: string) => {
      context.addIssue({ code: "custom", path: [key], message });
    };
    for (const [key, message] of [...pairProblems(database), ...photoProblems(database)]) problem(key, message);
    const wrong = split === undefined || (source !== undefined && !split.includes("/")) ? null : shareProblem(split);
    if (wrong !== null) problem("split", wrong);
    if (source !== undefined) {
      const others = { list, train, val, test };
      for (const [key, file] of Object.entries(others)) if (file !== undefined) problem(key, "is in place of source; give either"); // prettier-ignore
      return;
    }
    for (const [key, value] of Object.entries({ format, columns, direction, decimal })) {
      if (value !== undefined) problem(key, "belongs to a source; name that, or leave this out");
    }
    if (list !== undefined && [train, val, test].some((file) => file !== undefined)) {
      problem("list", "is in place of train, val and test; give either");
    } else if (list !== undefined && split === undefined)
      problem("split", "is missing; a list needs it, as in 70/10/20");
    if (list === undefined && split !== undefined) problem("list", "is missing; split parts the images of one list");
  })
  .readonly();
export type DatabaseConfig = z.output<typeof DatabaseConfig>;

/** Database of a config whose training list is of pairs. */
export type PairConfig = DatabaseConfig & { readonly pairs: string };

export function hasPairs(database: DatabaseConfig): database is PairConfig {
  return database.pairs !== undefined;
}

/** Database of a config whose training images have no scores. */
export type PhotoConfig = DatabaseConfig & { readonly photos: string };

export function hasPhotos(database: DatabaseConfig): database is PhotoConfig {
  return database.photos !== undefined;
}

/** Settings that do not go with photographs without scores, each with what is wrong. */
function photoProblems(database: Readonly<Partial<Record<string, unknown>>>): [key: string, message: string][] {
  if (database["photos"] === undefined) return [];
  const others = ["train", "list", "source", "pairs", "content"].filter((key) => database[key] !== undefined);
  return others.map((key) => [key, "does not go with photos, which have neither scores nor labels; leave it out"]);
}

/** Settings of a database with a list of pairs that do not go with one, each with what is wrong. */
function pairProblems(database: Readonly<Partial<Record<string, unknown>>>): [key: string, message: string][] {
  const { pairs, imagesPerStep, content } = database;
  if (pairs === undefined) return [];
  const others = ["train", "list", "source"].filter((key) => database[key] !== undefined);
  const isOdd = typeof imagesPerStep === "number" && imagesPerStep % 2 === 1;
  const byColumn = typeof content === "object" && content !== null && "column" in content;
  return [
    ...others.map((key): [string, string] => [key, "does not go with pairs, which is the training list; give either"]),
    ...(isOdd ? [["imagesPerStep", `must be even with pairs, two images each; got ${imagesPerStep}`] as const] : []),
    ...(byColumn ? [["content", "must be a pattern with pairs: their list has no column of contents"] as const] : []),
  ].map(([key, message]) => [key, message]);
}

/** Problem of three parts of 100, such as 70/10/20; null where there is none. */
function shareProblem(text: string): string | null {
  if (!/^\d{1,2}\/\d{1,2}\/\d{1,2}$/.test(text)) {
    return "must be three parts of 100 to train, validate and test, such as 70/10/20";
  }
  return isWhole(text.split("/").map(Number)) ? null : "must be three parts above 0 that sum up to 100";
}

function isWhole(parts: readonly number[]): boolean {
  return parts.every((part) => part > 0) && parts.reduce((a, b) => a + b, 0) === 100;
}

/** Config of databases: their names, places, and the reading of their images. */
export const DataConfig = z
  .strictObject({
    root: z.string().min(1).default("IQA_Database").describe("folder of the databases, relative to the current one"),
    databases: z.array(DatabaseConfig).min(1).readonly(),
    sampling: z
      .enum(["quota", "temperature"])
      .default("quota")
      .describe("how a step's images are divided: each database's imagesPerStep, or by the databases' sizes"),
    imagesPerStep: z
      .int()
      .positive()
      .optional()
      .describe("images of all databases in a step, at least 2 of each. With sampling: temperature alone"),
    temperature: z
      .number()
      .min(1)
      .max(1000)
      .default(2)
      .describe(
        "T of sampling by temperature: images in proportion to size^(1/T); 1: to the sizes; high: equal numbers",
      ),
    small: z
      .enum(["error", "resize"])
      .default("error")
      .describe("what to do with an image below the model's window on a side: stop, or enlarge it"),
    maxMegapixels: z
      .number()
      .positive()
      .max(1000)
      .default(DEFAULT_MAX_MEGAPIXELS)
      .describe("larger images are refused before decoding"),
    onUnreadable: z
      .enum(["stop", "replace"])
      .default("stop")
      .describe("what to do with a training image that cannot be decoded: stop, or train on another one and say so"),
    followLinks: z
      .boolean()
      .default(true)
      .describe(
        "follow symbolic links in a database's folder; false refuses those that lead out, for lists of strangers",
      ),
    onMissing: z
      .enum(["stop", "drop"])
      .default("stop")
      .describe("what to do with training images that are not there: stop, or leave out up to 1 % of them and say so"),
    onDamage: z
      .enum(["warn", "refuse", "ignore"])
      .default("warn")
      .describe("what to do with damage that PIL reads through: read as PIL does and say so, refuse, or say nothing"),
    onFindings: z
      .enum(["stop", "warn"])
      .default("stop")
      .describe("what to do when the lists show errors before training: stop, or say so and go on"),
    stallSeconds: z
      .int()
      .positive()
      .default(DEFAULT_STALL_SECONDS)
      .describe("seconds after which an unfinished read of an image stops the run and names the file"),
    pixelCacheDir: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe("folder that caches decoded training images on disk, for several runs; null: none"),
    pixelCacheGB: z
      .number()
      .positive()
      .default(20)
      .describe("size limit of that folder; when it is full, nothing is added"),
    cacheMB: z
      .int()
      .nonnegative()
      .default(1024)
      .describe("memory that caches decoded training images; 0: every read decodes"),
  })
  .superRefine((data, context) => {
    for (const { path, message } of [...imageCountProblems(data), ...refusedWithPairs(data)])
      context.addIssue({ code: "custom", path, message });
    data.databases.forEach(({ name }, i) => {
      if (data.databases.findIndex((other) => other.name === name) < i) {
        context.addIssue({ code: "custom", path: ["databases", i, "name"], message: `"${name}" is named twice` });
      }
    });
  })
  .readonly();
export type DataConfig = z.output<typeof DataConfig>;

/** Settings of all databases that do not go with lists of pairs. */
function refusedWithPairs({
  databases,
  sampling,
  onUnreadable,
}: Pick<DataConfig, "databases" | "sampling" | "onUnreadable">) {
  const [first] = databases.filter(({ pairs }) => pairs !== undefined);
  if (first === undefined) return [];
  const of = `with the pairs of ${first.name}`;
  return [
    ...(sampling === "temperature"
      ? [{ path: ["sampling"], message: `must be quota ${of}; give each database its imagesPerStep` }]
      : []),
    ...(onUnreadable === "replace"
      ? [{ path: ["onUnreadable"], message: `must be stop ${of}: another image has not been compared` }]
      : []),
  ];
}

interface ImageCounts {
  readonly sampling: "quota" | "temperature";
  readonly imagesPerStep?: number | undefined;
  readonly databases: readonly { readonly imagesPerStep?: number | undefined }[];
}

/** Problems with numbers of images: missing ones that the kind of sampling needs, and ones that it would not use. */
function imageCountProblems({ sampling, imagesPerStep, databases }: ImageCounts) {
  const isQuota = sampling === "quota";
  const misplaced = databases.flatMap((database, i) => {
    if ((database.imagesPerStep !== undefined) === isQuota) return [];
    const message = isQuota
      ? "is missing; expected int, the database's images in each step"
      : "is not looked at with `sampling: temperature`; leave it out, and set data.imagesPerStep";
    return [{ path: ["databases", i, "imagesPerStep"], message }];
  });
  const fewest = FEWEST_PER_STEP * databases.length;
  const problem = isQuota
    ? imagesPerStep !== undefined && "is looked at with `sampling: temperature` alone; leave it out, or set that"
    : imagesPerStep === undefined
      ? "is missing; `sampling: temperature` divides it among the databases"
      : imagesPerStep < fewest && `must be at least ${fewest}, ${FEWEST_PER_STEP} of each database`;
  return problem === false ? misplaced : [...misplaced, { path: ["imagesPerStep"], message: problem }];
}
