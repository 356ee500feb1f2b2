/** SentencePiece's unigram models (sentencepiece_model.proto), read into the library that searches the best pieces. */
import { Tokenizer } from "@huggingface/tokenizers";
import protobuf from "protobufjs/light.js";
import { rejectFile } from "../byteSource.js";
import { readCharsmap } from "./charsmap.js";

/** The library's class, whose types name files that TypeScript does not find; hence the cast. */
export const LibraryTokenizer = Tokenizer as unknown as new (
  tokenizer: object,
  settings: object,
) => {
  tokenize(text: string): string[];
  encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly ids: readonly number[] };
  token_to_id(token: string): number | undefined;
  get_vocab(): ReadonlyMap<string, number>;
};

/** Vocabulary that turns a text into tokens, without special ones. */
export interface Vocabulary {
  readonly encode: (text: string) => number[];
  /** Token of a special string such as `</s>`; undefined where there is none. */
  readonly idOf: (piece: string) => number | undefined;
  /** Number of tokens. */
  readonly size: number;
}

const root = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        pieces: { rule: "repeated", type: "Piece", id: 1 },
        trainer: { type: "Trainer", id: 2 },
        normalizer: { type: "Normalizer", id: 3 },
      },
    },
    Piece: { fields: { piece: { type: "string", id: 1 }, score: { type: "float", id: 2 }, type: { type: "int32", id: 3 } } }, // prettier-ignore
    Trainer: { fields: { modelType: { type: "int32", id: 3 }, suffix: { type: "bool", id: 24 }, byteFallback: { type: "bool", id: 35 } } }, // prettier-ignore
    // Of proto2, where a `false` that is written is not one that is left out
    Normalizer: { edition: "proto2", fields: { charsmap: { type: "bytes", id: 2 }, squeeze: { type: "bool", id: 4 }, escape: { type: "bool", id: 5 } } }, // prettier-ignore
  },
});
const modelType = root.lookupType("ModelProto");

interface Model {
  readonly pieces: readonly { readonly piece: string; readonly score?: number; readonly type?: number }[];
  readonly trainer?: { readonly modelType?: number; readonly suffix?: boolean; readonly byteFallback?: boolean };
  readonly normalizer?: { readonly charsmap?: Uint8Array; readonly squeeze?: boolean; readonly escape?: boolean };
}

/** Kinds of pieces (ModelProto.SentencePiece.Type); a text is made of normal ones. */
const TYPES = { normal: 1, unknown: 2, userDefined: 4 } as const;

const UNIGRAM = 1;

/** Mark of a space in pieces. */
const SPACE = "▁";

/** Reads a unigram model. @throws {CheckpointError} for another kind of model, and for settings that are not computed */
export function readSentencePiece(file: string, bytes: Uint8Array): Vocabulary {
  const { pieces, trainer = {}, normalizer = {} } = decodeModel(file, bytes);
  if ((trainer.modelType ?? UNIGRAM) !== UNIGRAM) {
    rejectFile(
      file,
      "is a model of byte pairs, which is read from tokenizer.json alone; put that beside the weights, too",
    );
  }
  const replace = readCharsmap(normalizer.charsmap ?? new Uint8Array());
  const problems = [
    ...(pieces.some(({ type }) => type === TYPES.userDefined) ? ["symbols of its user's"] : []),
    ...(trainer.suffix === true || normalizer.squeeze === false || normalizer.escape === false ? ["other rules for spaces"] : []), // prettier-ignore
    ...(replace === null ? ["a map of characters that cannot be read"] : []),
  ];
  if (problems.length > 0 || replace === null) rejectFile(file, `has ${problems.join(" and ")}, which SigLIP's do not`);
  const unknown = pieces.findIndex(({ type }) => type === TYPES.unknown);
  const ids = new Map(pieces.map(({ piece }, id) => [piece, id]));
  const words = new Map(pieces.flatMap((one, id): [string, number][] => (isNormal(one) ? [[one.piece, id]] : [])));
  const search = searchOf(pieces, unknown);
  const idsOf = (piece: string): number[] => {
    const id = words.get(piece); // a text that spells a special piece is none
    if (id !== undefined) return [id];
    return trainer.byteFallback === true ? byteIds(piece, ids) : [unknown];
  };
  const spaced = (text: string) => SPACE + replace(text).replaceAll(/ +/g, " ").replaceAll(/^ | $/g, "").replaceAll(" ", SPACE); // prettier-ignore
  return {
    encode: (text) => search(spaced(text)).flatMap(idsOf),
    idOf: (piece) => ids.get(piece),
    size: pieces.length,
  };
}

function decodeModel(file: string, bytes: Uint8Array): Model {
  try {
    const model = modelType.toObject(modelType.decode(bytes)) as Model; // of this shape by the schema
    if (model.pieces.some(({ type }) => type === TYPES.unknown)) return model;
  } catch {
    // said below
  }
  return rejectFile(file, "is no model of SentencePiece's with a vocabulary; get it again");
}

function isNormal({ type = TYPES.normal }: Model["pieces"][number]): boolean {
  return type === TYPES.normal;
}

/** Search of the most probable pieces of a text; those that no text is made of are kept out of it. */
function searchOf(pieces: Model["pieces"], unknown: number): (text: string) => string[] {
  const vocab = pieces.map((one, id) => [isNormal(one) ? one.piece : `\u0000${id}`, one.score ?? 0]);
  const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] };
  const tokenizer = new LibraryTokenizer({ ...parts, model: { type: "Unigram", vocab, unk_id: unknown } }, {});
  return (text) => tokenizer.tokenize(text);
}

/** Tokens of the bytes of a text that has no piece of its own. */
function byteIds(text: string, ids: ReadonlyMap<string, number>): number[] {
  return Array.from(new TextEncoder().encode(text), (byte) => {
    const name = `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
    const id = ids.get(name);
    if (id === undefined) throw new Error(`internal: sentencePiece: a model with byte fallback has no ${name}`);
    return id;
  });
}
