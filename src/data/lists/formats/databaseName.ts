import path from "node:path";

/** Words by which files and folders name a known database; the first that fits holds. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/clive|live[-_ ]?(?:c(?:dataset)?|challenge|wild|itw)(?![a-z])/i, "clive"],
  [/(?:^|[^a-z])live(?:dataset|iqa)?(?![a-z])(?![-_ ]?(?:m|md|vqc|nflx|yt)(?![a-z]))/i, "live"],
  [/kadid/i, "kadid10k"],
  [/koniq/i, "koniq10k"],
  [/csiq/i, "csiq"],
  [/spaq/i, "spaq"],
  [/tid2013/i, "tid2013"],
  [/(?:^|[^a-z])bid(?:dataset)?(?![a-z])/i, "bid"],
  [/agiqa-?3k|(?:^|[^a-z])agi(?![a-z])/i, "agiqa3k"],
  [/pipal/i, "pipal"],
];

/** Names of images that only one database has. */
const IMAGES: readonly (readonly [RegExp, string])[] = [[/(?:^|\/)I\d\d_\d\d_\d\d\.png$/i, "kadid10k"]];

/** Known database that a list is of, by its own name, its images and their folders, or its folder; null if none. */
export function databaseOf(file: string, images: readonly string[]): string | null {
  const { base, dir } = path.parse(file);
  const folder = path.posix.dirname(images[0] ?? "");
  const named = [base, folder, path.basename(dir), path.basename(path.dirname(dir))]
    .map(databaseInWords)
    .find((one) => one !== null);
  if (named !== undefined) return named;
  return IMAGES.find(([pattern]) => images.length > 0 && images.every((image) => pattern.test(image)))?.[1] ?? null;
}

/** Known database that a file, a folder or a text names; null if none. */
export function databaseInWords(text: string): string | null {
  return WORDS.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}
