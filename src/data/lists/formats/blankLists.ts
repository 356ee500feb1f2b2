/** Lists separated by blanks, without a header: VisualQuality-R1, and makers' lists of names and scores. */
import { DataError } from "../../../base/errors.js";
import { readLines, readStartOfText } from "../lines.js";
import { firstLineOf } from "../rows.js";
import { isImageName, isNumeric, type ListTable, type ReadingChoice, stemOf, type TableEntry } from "./table.js";

/** Shape of a row: `n` for each name, `#` for each number. */
const SHAPES = {
  "nn##": { group: 0, image: 1, mos: 2, deviation: 3 },
  "nn#": { group: 0, image: 1, mos: 2, deviation: -1 },
  "n##": { group: -1, image: 0, mos: 1, deviation: 2 },
  "n#": { group: -1, image: 0, mos: 1, deviation: -1 },
  "#n": { group: -1, image: 1, mos: 0, deviation: -1 },
} as const;

/**
 * Reads rows of names and numbers; null where the first row is none.
 * @throws {DataError} naming the first row of another shape
 */
export async function readBlankList(file: string, { format }: ReadingChoice): Promise<ListTable | null> {
  const shape = shapeOf(
    firstLineOf(await readStartOfText(file))
      .trim()
      .split(/\s+/),
  );
  if (shape === null) return null;
  const { group, image, mos, deviation } = SHAPES[shape];
  const entries: TableEntry[] = [];
  await readLines(file, (text, number) => {
    const line = text.trim();
    if (line === "") return;
    const cells = line.split(/\s+/);
    if (shapeOf(cells) !== shape) {
      const want = Array.from(shape, (cell) => (cell === "n" ? "an image" : "a number")).join(", ");
      throw new DataError(
        `${file}:${number}: expected ${want} as in the first line, got "${line}"; is the file whole?`,
      );
    }
    const cell = (at: number) => cells[at] ?? "";
    const mosStd = deviation < 0 ? null : cell(deviation);
    const content = group < 0 ? null : stemOf(cell(group));
    entries.push({ line: number, row: entries.length, image: cell(image), mos: cell(mos), mosStd, distortion: "", scenes: [], content, subsets: [] }); // prettier-ignore
  });
  const name = (at: number) => (at < 0 ? null : `column ${at + 1}`);
  return {
    ...{ format: format ?? (shape === "#n" ? "labels" : "visualquality-r1"), entries, faults: [], ambiguities: [] },
    columns: { score: name(mos) ?? "", deviation: name(deviation), group: name(group), splits: [], ignored: [] },
    ...{ told: null, isVariance: false },
  };
}

function shapeOf(cells: readonly string[]): keyof typeof SHAPES | null {
  const shape = cells.map((cell) => (isImageName(cell) ? "n" : isNumeric(cell) ? "#" : "?")).join("");
  return shape in SHAPES ? (shape as keyof typeof SHAPES) : null; // it is one of its keys
}
