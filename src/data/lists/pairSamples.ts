import path from "node:path";
import { DataError } from "../../base/errors.js";
import { plural, problemsError } from "../../base/text.js";
import type { PairConfig } from "../config.js";
import type { Database, ListedImage, PairSample, Sample, Subset } from "../sample.js";
import { contentByPattern, type ListContext, normalizePath } from "./entries.js";
import { withFoundNames } from "./foundNames.js";
import { COLUMNS, readPairList } from "./pairList.js";
import { readList } from "./readList.js";
import { headerOf } from "./rows.js";

type PairLists = Required<Pick<Database, "pairs">> & Pick<Database, "val" | "test">;

/**
 * Reads the lists of a database of pairs: of pairs to train on, of pairs or of scores to validate, of scores to test.
 * Lists that the config does not name are empty.
 * @throws {DataError} where one cannot be read, or the test list is of pairs
 */
export async function readPairDatabase(
  database: PairConfig,
  lists: Readonly<Record<Subset, string>>,
  { subsets, ...context }: ListContext & { readonly subsets: readonly Subset[] },
): Promise<PairLists> {
  const isAsked = (subset: "val" | "test") => database[subset] !== undefined && subsets.includes(subset);
  const train = subsets.includes("train") ? await readPairSamples(lists.train, context) : [];
  const isOfPairs = isAsked("val") && (await isPairList(lists.val));
  if (isAsked("test") && (await isPairList(lists.test)))
    throw new DataError(
      `${lists.test}: is a list of pairs, and test lists have scores; leave test out, and judge the run by ` +
        `liqe evaluate --checkpoint RUN --pairs ${lists.test}`,
    );
  return {
    pairs: { train, val: isOfPairs ? await readPairSamples(lists.val, context) : [] },
    val: isAsked("val") && !isOfPairs ? await scored(lists.val, context) : [],
    test: isAsked("test") ? await scored(lists.test, context) : [],
  };
}

async function scored(list: string, context: ListContext): Promise<Sample[]> {
  return withFoundNames(await readList(list, context));
}

/** True for a list that begins with the columns of pairs. @throws {DataError} where it cannot be read */
export async function isPairList(file: string): Promise<boolean> {
  const header = await headerOf(file);
  return COLUMNS.every((name) => header.includes(name));
}

/** Reads a list of pairs of a database's images; see `readPairList`. @throws {DataError} listing every problem at once */
async function readPairSamples(file: string, context: ListContext): Promise<PairSample[]> {
  const listed = await readPairList(file);
  const images = new Map<string, ListedImage>();
  const problems: string[] = [];
  for (const { line, a, b } of listed) {
    for (const image of [a, b]) {
      const key = normalizePath(image);
      if (images.has(key)) continue;
      const { content, wrong } = contentIn(key, context);
      if (wrong !== null) problems.push(`${file}:${line}: ${wrong}`);
      const { database, folder } = context;
      const place = { database, image, file: `${folder}${path.sep}${key}`, folder, list: file, line };
      images.set(key, { ...place, distortion: null, scenes: [], ...(content === null ? {} : { content }) });
    }
  }
  if (problems.length > 0) throw problemsError(`${file}: ${plural(problems.length, "problem")}`, problems);
  const found = await withFoundNames([...images.values()]);
  const byKey = new Map(found.map((image) => [normalizePath(image.image), image]));
  return listed.flatMap(({ a, b, p }) => {
    const [first, second] = [byKey.get(normalizePath(a)), byKey.get(normalizePath(b))];
    return first === undefined || second === undefined ? [] : [{ a: first, b: second, p }];
  });
}

/** Content of an image by the config's pattern; null where there is none. */
function contentIn(key: string, { content: rule }: ListContext): { content: string | null; wrong: string | null } {
  if (rule?.pattern === undefined) return { content: null, wrong: null };
  const content = contentByPattern(rule.pattern, key);
  const remedy = "correct the line, or data.databases: content";
  const wrong = content ? null : `no content is told by the pattern ${rule.pattern} for ${key}; ${remedy}`;
  return { content, wrong };
}
