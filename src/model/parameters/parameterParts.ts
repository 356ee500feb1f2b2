/** Where in the network a parameter stands: what `train.freeze` names, and what layer-wise rates go by. */

export type Tower = "vision" | "text";

/** From the input up: pixels to tokens (vision alone), what marks tokens, the transformer, what leads to the features. */
export type Part = "stem" | "embeddings" | "blocks" | "head";

export interface ParameterPart {
  readonly tower: Tower;
  readonly part: Part;
  /** Which one of the transformer's blocks, from 0 at the input; null outside of them. */
  readonly block: number | null;
}

/** OpenAI's names by their beginnings. `$1`, where there is one, is the block's number. */
const PARTS: readonly (readonly [RegExp, Tower, Part])[] = [
  [/^visual\.(?:conv1|stem)\./, "vision", "stem"],
  [/^visual\.(?:class_embedding$|positional_embedding$|ln_pre\.)/, "vision", "embeddings"],
  [/^visual\.transformer\.resblocks\.(\d+)\./, "vision", "blocks"],
  [/^visual\.(?:ln_post\.|proj$)/, "vision", "head"],
  [/^(?:token_embedding\.|positional_embedding$)/, "text", "embeddings"],
  [/^transformer\.resblocks\.(\d+)\./, "text", "blocks"],
  [/^(?:ln_final\.|text_projection$)/, "text", "head"],
];

/** The part of a parameter of `Parameters` or `parameterShapes`; null for the logit scale, which is part of no tower. */
export function partOf(name: string): ParameterPart | null {
  for (const [pattern, tower, part] of PARTS) {
    const found = pattern.exec(name);
    if (found !== null) return { tower, part, block: found[1] === undefined ? null : Number(found[1]) };
  }
  return null;
}

/** How many blocks each tower has, counted from the names of all its parameters. */
export function blockCounts(names: Iterable<string>): Record<Tower, number> {
  const counts: Record<Tower, number> = { vision: 0, text: 0 };
  for (const name of names) {
    const { tower, block } = partOf(name) ?? {};
    if (tower !== undefined && typeof block === "number") counts[tower] = Math.max(counts[tower], block + 1);
  }
  return counts;
}
