/**
 * Token tables that keep the rows of a model's own prompts alone: of CLIP's 49,408 rows the published prompts use some
 * sixty. A file names its rows' tokens in a header entry; read, the table is whole, and the rows left out are zeros, which
 * no training leaves behind.
 */
import { CheckpointError } from "../../base/errors.js";
import { type NamedArray, type NamedArrays, putRows, takeRows, TOKEN_EMBEDDING } from "../parameters/parameters.js";
import { END_TOKEN } from "../text/tokenizer.js";
import { rejectFile } from "./byteSource.js";

/** Header entry of the tokens, with commas, in the order of the rows. */
const KEPT_TOKENS = "kept_tokens";

type Metadata = Readonly<Record<string, string>>;

/** Weights with the rows of `tokens` alone in their token table, and the header entry that says so. */
export function keepTokens(weights: NamedArrays, tokens: readonly number[]) {
  const table = weights.get(TOKEN_EMBEDDING);
  if (table === undefined) throw new Error("internal: keepTokens: there is no token table");
  const metadata = { [KEPT_TOKENS]: tokens.join(",") };
  return { weights: new Map([...weights, [TOKEN_EMBEDDING, takeRows(table, tokens)]]), metadata };
}

/** Tokens whose rows a file's table keeps; null where it keeps all. @throws {CheckpointError} for an entry that cannot be */
export function keptTokens(file: string, metadata: Metadata): readonly number[] | null {
  const entry = metadata[KEPT_TOKENS];
  if (entry === undefined) return null;
  const tokens = entry.split(",").map((word) => (/^\d+$/.test(word) ? Number(word) : NaN));
  const isWrong = !tokens.every((token) => token <= END_TOKEN) || new Set(tokens).size < tokens.length;
  return isWrong ? rejectFile(file, `its ${KEPT_TOKENS} are not distinct tokens of the vocabulary`) : tokens;
}

/** Widest row of a kept table: the whole one is 49,408 times as large as a row, and no text tower is as wide as this. */
const WIDEST = 8192;

/** Shape of the whole table, by that of the kept rows. @throws {CheckpointError} where it has other rows */
export function wholeShape(file: string, tokens: readonly number[], [rows, width = 0]: readonly number[]): number[] {
  if (width > WIDEST) rejectFile(file, `${TOKEN_EMBEDDING} has rows of ${width} numbers; at most ${WIDEST} are read`);
  if (rows === tokens.length) return [END_TOKEN + 1, width];
  return rejectFile(file, `${TOKEN_EMBEDDING} has ${rows ?? 0} rows, and names ${tokens.length} tokens for them`);
}

/** Values of the whole table, by those of the kept rows. */
export function wholeTable(tokens: readonly number[], rows: Float32Array): Float32Array<ArrayBuffer> {
  const width = rows.length / tokens.length;
  const table = new Float32Array((END_TOKEN + 1) * width);
  putRows({ table, width }, tokens, rows);
  return table;
}

/** A file's tensors with their token table whole. @throws {CheckpointError} see `keptTokens` */
export function withWholeTable(file: string, arrays: NamedArrays, metadata: Metadata): NamedArrays {
  const tokens = keptTokens(file, metadata);
  const table = arrays.get(TOKEN_EMBEDDING);
  if (tokens === null || table === undefined) return arrays;
  const whole = { shape: wholeShape(file, tokens, table.shape), values: wholeTable(tokens, table.values) };
  return new Map([...arrays, [TOKEN_EMBEDDING, whole]]);
}

/** True where a table keeps a token's row. */
function isKept({ shape, values }: NamedArray, token: number): boolean {
  const width = shape[1] ?? 0;
  return values.subarray(token * width, (token + 1) * width).some((value) => value !== 0);
}

/**
 * True for weights that score by their own prompts alone: most rows of their token table were left out. Some rows of zeros
 * mean nothing, as a padding's.
 */
export function keepsFewTokens(weights: NamedArrays): boolean {
  const table = weights.get(TOKEN_EMBEDDING);
  if (table === undefined) return false;
  const [rows = 0] = table.shape;
  let kept = 0;
  for (let token = 0; token < rows; token++) if (isKept(table, token)) kept++;
  return 2 * kept < rows;
}

/**
 * Checks that a token table of few rows has those that prompts use.
 * @param tokens  of the prompts, each once
 * @throws {CheckpointError} where rows of them were left out
 */
export function requireTokens(name: string, weights: NamedArrays, tokens: readonly number[]): void {
  const table = weights.get(TOKEN_EMBEDDING);
  const missing = table === undefined ? [] : tokens.filter((token) => !isKept(table, token));
  if (missing.length === 0 || !keepsFewTokens(weights)) return;
  throw new CheckpointError(
    `${name}: its text encoder keeps the words of its own prompts alone, and others are asked ` +
      `(${missing.length} of ${tokens.length} tokens are missing); leave out --config and --prompts, or name other weights`,
  );
}
