interface Transformer {
  readonly width: number;
  readonly layers: number;
  /** CLIP's rule: width / 64, and at least 1. */
  readonly heads: number;
}

export interface VisionArchitecture extends Transformer {
  /** Side of the square input in pixels. */
  readonly imageSize: number;
  /** Side of one token's square in pixels; the product of the stem's strides where there is a stem. */
  readonly patchSize: number;
  /**
   * Map from pixels to tokens: CLIP's one linear map of a patch, or a hierarchy of non-overlapping patches, each a
   * linear map, layer norm and GELU, the last one without GELU (hMLP, arXiv 2203.09795, figure 2).
   */
  readonly stem: "patch" | readonly StemStage[];
}

/** One level of the hierarchical stem: `stride` x `stride` neighbors become one vector of `width`. */
export type StemStage = { readonly stride: number; readonly width: number };

export interface TextArchitecture extends Transformer {
  /** Positions, and so the most tokens of a prompt; 77 in CLIP. */
  readonly contextLength: number;
  /** Rows of the token embedding; 49,408 in CLIP. */
  readonly vocabulary: number;
}

/** Architecture of a CLIP-style dual encoder: two transformers that meet in one embedding space. */
export interface Architecture {
  readonly vision: VisionArchitecture;
  readonly text: TextArchitecture;
  /** Size of the space in which image and text are compared. */
  readonly embedding: number;
}

/** Width of one attention head. */
export const HEAD_WIDTH = 64;

/** CLIP's number of heads: one for each 64 of width, and at least one. */
export function clipHeads(width: number): number {
  return Math.max(1, Math.floor(width / HEAD_WIDTH));
}
