import { existsSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import path from "node:path";
import { DataError } from "../../base/errors.js";
import type { LabelTables } from "../../model/prompts/labels.js";
import type { DatabaseConfig } from "../config.js";
import { deviationsOf, type PublishedScore, readPublishedScores } from "../lists/deviations.js";
import { splitSamples } from "../lists/randomSplit.js";
import { type ListContext, parseList } from "../lists/readList.js";
import { resolveLayout, requireFolder } from "../openDatabases.js";
import { type Sample, type Subset, SUBSETS } from "../sample.js";
import type { Finding } from "./findings.js";
import { findingOf, type SplitSamples } from "./sampleChecks.js";

export interface ReadSplit {
  readonly number: number;
  readonly lists: SplitSamples;
}

export interface ReadSplits {
  readonly splits: readonly ReadSplit[];
  /** Of `<name>_all_clip.txt`; empty where there is none. */
  readonly whole: readonly Sample[];
  readonly published: ReadonlyMap<string, PublishedScore>;
  /** What is wrong with the lists as such. */
  readonly findings: readonly Finding[];
}

/** All lists of a database, in every split that is laid out; what is wrong with them is a finding. */
export async function readSplits(database: DatabaseConfig, root: string, tables: LabelTables): Promise<ReadSplits> {
  const layout = resolveLayout(database, root, 1);
  const { name, folder } = layout;
  const findings: Finding[] = [];
  const fail = (kind: "list-missing" | "deviation" | "split") => (error: unknown) => {
    if (!(error instanceof DataError)) throw error;
    findings.push({ ...findingOf(name, kind, "error", ""), message: error.message });
    return null;
  };
  const none = new Map<string, PublishedScore>();
  if ((await requireFolder(layout).catch(fail("list-missing"))) === null) {
    return { splits: [], whole: [], published: none, findings };
  }
  const published = (await readPublishedScores(layout.deviations).catch(fail("deviation"))) ?? none;
  const deviations = deviationsOf(published);
  const context = { database: name, folder, tables, deviations, content: database.content };
  const splits: ReadSplit[] = [];
  const one = layout.drawn === null ? null : await readForCheck(layout.drawn.list, context);
  findings.push(...(one?.findings ?? []));
  for (const number of await splitsOf(database, root)) {
    const { lists, drawn } = resolveLayout(database, root, number);
    if (one !== null && drawn !== null) {
      if (one.samples.length === 0) continue; // said already
      const parts = await splitSamples(one.samples, database, number, drawn.record).catch(fail("split"));
      if (parts !== null) splits.push({ number, lists: parts });
      continue;
    }
    const samples: Record<Subset, readonly Sample[]> = { train: [], val: [], test: [] };
    for (const subset of SUBSETS) {
      const read = await readForCheck(lists[subset], context);
      samples[subset] = read.samples;
      findings.push(...read.findings);
    }
    splits.push({ number, lists: samples });
  }
  const whole = existsSync(layout.whole) ? await readForCheck(layout.whole, context) : { samples: [], findings: [] };
  findings.push(...whole.findings);
  return { splits, whole: whole.samples, published, findings };
}

/** The numbers of the splits that lie in the database's folder; 1 where none does. */
async function splitsOf(database: DatabaseConfig, root: string): Promise<number[]> {
  const { folder } = resolveLayout(database, root, 1);
  const isSplitNamed =
    database.list !== undefined || SUBSETS.some((subset) => database[subset]?.includes("{split}") ?? true);
  if (!isSplitNamed) return [1]; // the config names one list for each subset
  const names = await readdir(path.join(folder, "splits2")).catch(() => []);
  const splits = names.filter((name) => /^[1-9]\d*$/.test(name)).map(Number);
  return splits.length === 0 ? [1] : splits.sort((a, b) => a - b);
}

/** One list, and what is wrong with it. */
export async function readForCheck(
  list: string,
  context: ListContext,
): Promise<{ samples: readonly Sample[]; findings: Finding[] }> {
  const place = { severity: "error", database: context.database, list } as const;
  try {
    const { samples, problems } = await parseList(list, context);
    const wrong = problems.map((problem): Finding => ({ ...place, ...problem }));
    return { samples, findings: [...(await findTextForm(context.database, list)), ...wrong] };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const missing = { ...place, kind: "list-missing", line: null, image: null, message: error.message } as const;
    return { samples: [], findings: [missing] };
  }
}

/** As much of a list as is looked at: its line ends are the same throughout, or nobody's. */
const LOOKED_AT_BYTES = 65_536;

/** What is unusual about a list's text and yet read without harm here; other tools may stumble over it. */
export async function findTextForm(database: string, list: string): Promise<Finding[]> {
  const start = await startOf(list);
  if (start === null) return []; // a list that is not there is reported where it is read
  const note = (kind: "bom" | "line-ends", what: string): Finding => ({
    ...findingOf(database, kind, "note", what),
    list,
    message: `${list}: ${what}`,
  });
  const isMarked = start.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]));
  return [
    ...(isMarked ? [note("bom", "begins with a byte order mark; save it as UTF-8 without one")] : []),
    ...(start.includes("\r") ? [note("line-ends", "has the line ends of Windows (CRLF); save it with LF")] : []),
  ];
}

async function startOf(list: string): Promise<Buffer | null> {
  const handle = await open(list).catch(() => null);
  if (handle === null) return null;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LOOKED_AT_BYTES), 0, LOOKED_AT_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } catch {
    return null; // a folder, or a disk that fails: said where it is read
  } finally {
    await handle.close();
  }
}
