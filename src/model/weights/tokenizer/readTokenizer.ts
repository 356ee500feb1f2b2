/** SigLIP's tokenizer, from the files beside its weights. */
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { ConfigError } from "../../../base/errors.js";
import { isCode, writeDurable } from "../../../base/files.js";
import { jsonOf, reasonOf } from "../../../base/text.js";
import type { TextTokenizer } from "../../text/tokenizer.js";
import { rejectFile } from "../byteSource.js";
import { LibraryTokenizer, readSentencePiece, type Vocabulary } from "./sentencePiece.js";

/** Names of a tokenizer's file, the one to read first before the others: SigLIP's, SigLIP 2's, SigLIP 2's own form. */
const TOKENIZER_FILES = ["spiece.model", "tokenizer.json", "tokenizer.model"] as const;

/** File of transformers that names special tokens. */
const SETTINGS_FILE = "tokenizer_config.json";

/** All names of a tokenizer's files. */
export const ALL_TOKENIZER_FILES: readonly string[] = [...TOKENIZER_FILES, SETTINGS_FILE];

/** Bytes of a file that are read at most; the largest published one, Gemma's tokenizer.json, has 34 MB. */
const MOST_BYTES = 256e6;

/** Tokens beyond the embedding's rows that a vocabulary may have: T5's have some hundred that no text spells. */
const MOST_EXTRA = 1000;

/** Families of tokenizers, and their special tokens where the settings do not name them. */
const FAMILIES = {
  siglip: { end: "</s>", padding: "</s>" },
  gemma: { end: "<eos>", padding: "<pad>" },
} as const;
type Family = keyof typeof FAMILIES;

/**
 * Reads the tokenizer beside a weight file.
 * @param vocabulary  rows of the token embedding
 * @returns           null where there is none
 * @throws {CheckpointError} where it is refused, or has another vocabulary
 */
export async function readTokenizer(weights: string, vocabulary: number): Promise<TextTokenizer | null> {
  const folder = path.dirname(weights);
  const files = new Map<string, Uint8Array>();
  for (const name of [...TOKENIZER_FILES, SETTINGS_FILE]) {
    const isChosen = name === SETTINGS_FILE || files.size === 0;
    const bytes = isChosen ? await bytesOf(path.join(folder, name)) : null;
    if (bytes !== null) files.set(name, bytes);
  }
  const [[name, bytes] = [SETTINGS_FILE, new Uint8Array()]] = files;
  return name === SETTINGS_FILE ? null : openTokenizer(path.join(folder, name), { bytes, files, vocabulary });
}

/** The same, which has to be there. @throws {CheckpointError} where it is not */
export async function needTokenizer(weights: string, vocabulary: number): Promise<TextTokenizer> {
  const tokenizer = await readTokenizer(weights, vocabulary);
  return tokenizer ?? rejectFile(weights, `is a SigLIP, whose tokenizer is not beside it; put ${TOKENIZER_FILES[0]} or ${TOKENIZER_FILES[1]} of its folder there, with ${SETTINGS_FILE}`); // prettier-ignore
}

/** Writes a tokenizer's files into a folder, and waits for the disk. */
export async function writeTokenizer(folder: string, { files }: Pick<TextTokenizer, "files">): Promise<void> {
  for (const [name, bytes] of files) await writeDurable(path.join(folder, name), (handle) => handle.writeFile(bytes));
}

async function bytesOf(file: string): Promise<Uint8Array | null> {
  const unreadable = (error: unknown) => rejectFile(file, `cannot be read, ${reasonOf(error)}`);
  const found = await stat(file).catch((error: unknown) => (isCode(error, "ENOENT") ? null : unreadable(error)));
  if (found === null) return null;
  if (found.size > MOST_BYTES) rejectFile(file, `${found.size} bytes are too many for a tokenizer`);
  return readFile(file).catch(unreadable);
}

interface Found {
  readonly bytes: Uint8Array;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly vocabulary: number;
}

function openTokenizer(file: string, { bytes, files, vocabulary: rows }: Found): TextTokenizer {
  const settings = settingsOf(path.join(path.dirname(file), SETTINGS_FILE), files.get(SETTINGS_FILE));
  const vocabulary = file.endsWith(".json") ? readJsonTokenizer(file, bytes) : readSentencePiece(file, bytes);
  if (vocabulary.size < rows || vocabulary.size > rows + MOST_EXTRA) {
    rejectFile(file, `has ${vocabulary.size} tokens, the token embedding ${rows} rows; is it another model's?`);
  }
  const family = familyOf(file, vocabulary, settings);
  const special = (key: "eos_token" | "pad_token", usual: string) => {
    const token = contentOf(settings[key]) ?? usual;
    const id = vocabulary.idOf(token);
    return id ?? rejectFile(file, `has no token ${JSON.stringify(token)} (${key})`);
  };
  const end = special("eos_token", FAMILIES[family].end);
  const padding = special("pad_token", FAMILIES[family].padding);
  const plain = family === "siglip" ? canonical : (text: string) => text.toLowerCase();
  const tokenize = (text: string, contextLength: number) => {
    const tokens = [...vocabulary.encode(plain(text)), end];
    requireFitting(text, tokens, { contextLength, rows });
    return [...tokens, ...Array.from({ length: contextLength - tokens.length }, () => padding)];
  };
  return { tokenize, files };
}

type Settings = Readonly<Record<string, unknown>>;

/** Settings of transformers; {} where there are none. @throws {CheckpointError} for those that are not computed */
function settingsOf(file: string, bytes: Uint8Array | undefined): Settings {
  if (bytes === undefined) return {};
  const json = jsonOf(new TextDecoder().decode(bytes));
  if (typeof json !== "object" || json === null || Array.isArray(json)) return rejectFile(file, "is no JSON object; get it again"); // prettier-ignore
  const settings = json as Settings; // an object
  if (settings["padding_side"] === "left") rejectFile(file, "padding_side is left, where SigLIP's prompts are padded on the right"); // prettier-ignore
  if (settings["do_lower_case"] === false) rejectFile(file, "do_lower_case is false, where SigLIP's prompts are lower case"); // prettier-ignore
  return settings;
}

/** String of a special token, which stands by itself or in an object. */
function contentOf(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  const content = typeof token === "object" && token !== null && "content" in token ? token.content : undefined;
  return typeof content === "string" ? content : undefined;
}

/** SigLIP's own tokenizer by its class or its file; SigLIP 2's is Gemma's. */
function familyOf(file: string, { idOf }: Vocabulary, settings: Settings): Family {
  const name = contentOf(settings["tokenizer_class"]) ?? "";
  if (/^Siglip(?!2)/.test(name)) return "siglip";
  if (/^(Gemma|Siglip2)/.test(name)) return "gemma";
  if (path.basename(file) === TOKENIZER_FILES[0]) return "siglip";
  return idOf(FAMILIES.gemma.end) === undefined ? "siglip" : "gemma";
}

/** Text in SigLIP's form: lower case, without ASCII's punctuation, one space between words (big_vision, `canonicalize_text`). */
function canonical(text: string): string {
  const words = text.toLowerCase().replaceAll(/[!-/:-@[-`{-~]/g, "");
  return words.replaceAll(/\s+/gu, " ").trim();
}

/** @throws {ConfigError} for a text that is too long, or that has a token without a row in the embedding */
function requireFitting(
  text: string,
  tokens: readonly number[],
  { contextLength, rows }: { readonly contextLength: number; readonly rows: number },
): void {
  if (tokens.length > contextLength) {
    throw new ConfigError(
      `tokenize: "${text}" has ${tokens.length} tokens, the text tower takes ${contextLength}; ` +
        `shorten the template or the label`,
    );
  }
  const other = tokens.find((token) => token >= rows);
  if (other === undefined) return;
  throw new ConfigError(
    `tokenize: "${text}" has the token ${other}, and the token embedding ${rows} rows; use other words`,
  );
}

/** Reads a `tokenizer.json`, which says all steps itself. @throws {CheckpointError} where it is none */
function readJsonTokenizer(file: string, bytes: Uint8Array): Vocabulary {
  const json = jsonOf(new TextDecoder().decode(bytes));
  const refuse = (why: string): never => rejectFile(file, `cannot be read as a tokenizer (${why}); get it again`);
  if (typeof json !== "object" || json === null) return refuse("no JSON object");
  let tokenizer: InstanceType<typeof LibraryTokenizer>;
  try {
    tokenizer = new LibraryTokenizer({ ...json, post_processor: null }, {});
  } catch (error) {
    return refuse(reasonOf(error));
  }
  const isApproximate = JSON.stringify((json as Settings)["normalizer"] ?? null).includes('"Precompiled"');
  return {
    encode: (text) => {
      if (isApproximate && /[^ -~]/.test(text)) {
        throw new ConfigError(
          `tokenize: "${text}" has other characters than ASCII's, which ${file} alone does not tell how to read; ` +
            `put ${TOKENIZER_FILES[0]} beside it`,
        );
      }
      return [...tokenizer.encode(text, { add_special_tokens: false }).ids];
    },
    idOf: (piece) => tokenizer.token_to_id(piece),
    size: tokenizer.get_vocab().size,
  };
}
