/** Options by which commands are told what a list does not say itself. */
import type { Argv } from "yargs";
import { ConfigError } from "../base/errors.js";
import { COLUMN_KINDS, type ColumnKind, type FormatName, FORMATS } from "../data/lists/formats/names.js";
import { listOption, textOption } from "./options.js";

export interface SourceOptions {
  readonly images: string | undefined;
  readonly format: FormatName | undefined;
  readonly columns: readonly string[];
  readonly direction: "higher" | "lower" | undefined;
  readonly decimal: "point" | "comma" | undefined;
}

/** The path of a source, and how to read it. */
export function sourceOptions<T>(yargs: Argv<T>): Argv<T & SourceOptions & { readonly path: string }> {
  return yargs
    .positional("path", { type: "string", demandOption: true, describe: "a list, or a folder with lists and images" })
    .option("images", textOption("the folder of the images  [default: the path, or where it lies]"))
    .option("format", { ...textOption("the form of the list, where its contents do not tell"), choices: FORMATS })
    .option("columns", listOption(`the list's columns, KIND=NAME each; kinds: ${COLUMN_KINDS.join(", ")}`))
    .option("direction", { ...textOption("which scores are better"), choices: ["higher", "lower"] as const })
    .option("decimal", { ...textOption("the sign before decimals  [default: point]"), choices: ["point", "comma"] as const }); // prettier-ignore
}

/** Those options as a choice of reading. @throws {ConfigError} naming what of `--columns` is not KIND=NAME */
export function choiceOf({ images, format, columns, direction, decimal }: SourceOptions) {
  return { images, format, direction, decimal, columns: columnsOf(columns) };
}

function columnsOf(given: readonly string[]): Partial<Record<ColumnKind, string>> {
  const columns: Partial<Record<ColumnKind, string>> = {};
  for (const one of given.flatMap((text) => text.split(","))) {
    const [, key = "", name = ""] = /^([^=]*)=(.+)$/.exec(one) ?? [];
    const kind = COLUMN_KINDS.find((known) => known === key);
    if (kind === undefined)
      throw new ConfigError(`--columns ${one}: must be KIND=NAME, where KIND is ${COLUMN_KINDS.join(", ")}`);
    columns[kind] = name;
  }
  return columns;
}
