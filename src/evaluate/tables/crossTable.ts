/** The matrix of train sets by test sets as plain text. */
import path from "node:path";
import { columnWidths, formatColumns } from "../../base/text.js";
import type { CrossMatrix } from "../results/crossMatrix.js";
import { cropsText, fixed, NO_VALUE, valueText } from "./benchmarkTable.js";

/** SRCC of each checkpoint on each test set; a star marks databases of its own config. */
export function crossTable({ tests, rows, protocol, crops }: CrossMatrix): string {
  const head = ["trained on", ...testTitles(tests), "others' mean"];
  const lines = rows.map(({ checkpoint, trainedOn, cells, unseenMean }) => [
    trainTitle({ checkpoint, trainedOn }),
    ...cells.map(({ srcc, isTrainedOn }) => `${valueText(srcc)}${isTrainedOn === true ? "*" : ""}`),
    unseenMean.srcc === null ? NO_VALUE : fixed(unseenMean.srcc),
  ]);
  const table = formatColumns([head, ...lines], columnWidths([head, ...lines]), "  ");
  const note = `SRCC; * named by its own config; protocol ${protocol}; ${cropsText(crops)}`;
  return `${[...table, "", note].join("\n")}\n`;
}

/** Titles of test sets: their databases, with the config where two configs have one of a name. */
export function testTitles(tests: CrossMatrix["tests"]): string[] {
  const isTwice = (name: string) => tests.filter(({ database }) => database === name).length > 1;
  return tests.map(({ config, database }) =>
    isTwice(database) ? `${database} (${path.parse(config).name})` : database,
  );
}

export function trainTitle({
  checkpoint,
  trainedOn,
}: Pick<CrossMatrix["rows"][number], "checkpoint" | "trainedOn">): string {
  return trainedOn === null ? checkpoint : `${checkpoint} (${trainedOn.join(", ")})`;
}
