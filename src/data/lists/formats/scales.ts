import { extentOf, groupBy } from "../../../base/collections.js";
import { DataError } from "../../../base/errors.js";
import { databaseInWords } from "./databaseName.js";
import type { FoundList } from "./findLists.js";
import { isNumeric } from "./table.js";

/** Fewest scores that are judged, of all and of each of two groups. */
const FEWEST = 10;
const FEWEST_OF_FOLDER = 5;
/** Share of all scores that each of two scales has at least. */
const SHARE = 0.1;
/** Share of the lower scale's number that may lie between both: a single scale has no such hole. */
const BETWEEN = 0.25;
/** Highest scores of the scales in use: many up to one, few up to three times as much, and many above are two scales. */
const TOPS = [1, 5, 10];
/** Factor by which the scores of two folders differ where they are two databases' own. */
const FACTOR = 5;

type Scored = { readonly list: string; readonly line: number; readonly image: string; readonly score: number };

/** @throws {DataError} where a list mixes two scales: such scores cannot be compared */
export function requireOneScale(lists: readonly FoundList[], where: string): void {
  const scored = lists.flatMap(({ file, table }) =>
    table.entries.flatMap(({ line, image, mos }): Scored[] =>
      isNumeric(mos) ? [{ list: file, line, image, score: Number(mos) }] : [],
    ),
  );
  if (scored.length < FEWEST) return;
  const parts = byFolder(scored) ?? byGap(scored);
  if (parts === null) return;
  const [a, b] = parts.map((part) => {
    const { least, most } = extentOf(part.map(({ score }) => score));
    const [first] = part;
    return `${least} to ${most} from ${first?.list ?? where}:${first?.line ?? 1} on (${first?.image ?? ""})`;
  });
  throw new DataError(
    `${where}: its scores are on two scales, ${a ?? ""} and ${b ?? ""}; put each database into a list of its own`,
  );
}

/** Folders of two known databases whose scores are of another order. */
function byFolder(scored: readonly Scored[]): [Scored[], Scored[]] | null {
  const groups = groupBy(scored, ({ image }) => databaseInWords(image.split(/[\\/]/, 1)[0] ?? ""));
  groups.delete(null);
  const parts = [...groups.values()].filter((group) => group.length >= FEWEST_OF_FOLDER);
  const extents = parts.map((part) => ({ part, ...extentOf(part.map(({ score }) => score)) }));
  const [low, high] = [extents.sort((a, b) => a.most - b.most)[0], extents.at(-1)];
  return low !== undefined && high !== undefined && high.most > FACTOR * Math.abs(low.most)
    ? [low.part, high.part]
    : null;
}

function byGap(scored: readonly Scored[]): [Scored[], Scored[]] | null {
  for (const top of TOPS) {
    const low = scored.filter(({ score }) => score > 0 && score <= top);
    const high = scored.filter(({ score }) => score > 3 * top);
    const between = scored.length - low.length - high.length;
    const isMixed = Math.min(low.length, high.length) >= SHARE * scored.length && between <= BETWEEN * low.length;
    const isSpread =
      new Set(low.map(({ score }) => score)).size > 2 && new Set(high.map(({ score }) => score)).size > 2;
    if (isMixed && isSpread) return [low, high];
  }
  return null;
}
