import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { ConfigError } from "../../base/errors.js";

const FILE = "synthesis.json";

/** Everything that a synthesized database depends on; equal settings give equal databases. */
export const SynthesisSettings = z.strictObject({
  recipe: z.int().describe("raised whenever equal settings would give other pictures than before"),
  seed: z.int(),
  photographs: z.int().positive(),
  photographsSha256: z.string(),
  scenesSha256: z.string().nullable(),
  levels: z.array(z.int()),
  perContent: z.int().positive(),
  splits: z.int().positive(),
});
export type SynthesisSettings = Readonly<z.output<typeof SynthesisSettings>>;

/** `synthesis.json`, the last file to be written: where it lies, the database is whole. */
const SynthesisRecord = z.looseObject({ version: z.string(), settings: SynthesisSettings });

interface SynthesisSummary {
  readonly version: string;
  readonly settings: SynthesisSettings;
  readonly images: number;
  readonly countsPerClass: Readonly<Record<string, number>>;
  readonly proxyMos: string;
}

export async function writeRecord(folder: string, { settings, ...summary }: SynthesisSummary): Promise<void> {
  const record = { seed: settings.seed, ...summary, settings };
  await writeFile(path.join(folder, FILE), `${JSON.stringify(record, null, 2)}\n`);
}

/**
 * Whether a database may be written to `folder`: "free", or "complete" where the very same one lies there.
 *
 * @throws {ConfigError} where anything else lies there; nothing is touched
 */
export async function stateOf(folder: string, settings: SynthesisSettings): Promise<"free" | "complete"> {
  const entries = await entriesOf(folder);
  if (entries.length === 0) return "free";
  const otherwise = "choose another folder with --out, or remove this one";
  if (!entries.includes(FILE)) {
    throw new ConfigError(`--out: ${folder} holds something else than a synthesized database; ${otherwise}`);
  }
  const text = await readFile(path.join(folder, FILE), "utf8");
  const record = SynthesisRecord.safeParse(parseJson(text));
  if (!record.success) throw new ConfigError(`--out: ${folder}/${FILE} cannot be read; ${otherwise}`);
  const theirs = record.data.settings;
  const keys = Object.keys(SynthesisSettings.shape) as (keyof SynthesisSettings)[]; // keys of the schema
  const different = keys.filter((key) => !isDeepStrictEqual(theirs[key], settings[key]));
  if (different.length === 0) return "complete";
  const changes = different.map((key) => describeChange(key, theirs[key], settings[key]));
  throw new ConfigError(
    `--out: ${folder} holds a database of other settings, left as it is (${changes.join("; ")}); ${otherwise}`,
  );
}

function describeChange(key: string, before: unknown, now: unknown): string {
  if (key.endsWith("Sha256")) return `other ${key.slice(0, -"Sha256".length)}`; // "other photographs", "other scenes"
  return `${key} ${JSON.stringify(before)}, now ${JSON.stringify(now)}`;
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw new ConfigError(`--out: ${folder} is not a folder (${String(error)}); choose another one`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it
  }
}
