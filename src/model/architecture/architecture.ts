/** Activations of a feed-forward layer: x·σ(1.702 x), as OpenAI's, and x·Φ(x), as most of open_clip's. */
export const ACTIVATIONS = ["quick-gelu", "gelu"] as const;
export type Activation = (typeof ACTIVATIONS)[number];

interface Transformer {
  readonly width: number;
  readonly layers: number;
  /** A divisor of the width: weights have the same shapes for all of them. */
  readonly heads: number;
  readonly activation: Activation;
  /** Width of the feed-forward layers; four widths where it is not named. */
  readonly mlpWidth?: number | undefined;
}

/** Properties of a tower that the shapes of its weights do not tell. */
export type TowerKind = Pick<Transformer, "heads" | "activation">;

/** The same for both towers, as far as they are known. */
export type KnownKind = {
  readonly [Tower in TowerName]?: { readonly [Key in keyof TowerKind]?: TowerKind[Key] | undefined } | undefined;
};

export const TOWER_NAMES = ["vision", "text"] as const;
export type TowerName = (typeof TOWER_NAMES)[number];

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

/** Heads of open_clip's image towers whose heads have another width, by the tower's: ViT-H/14, g/14 and bigG/14. */
const WIDE_VISION_HEADS: ReadonlyMap<number, number> = new Map([
  [1280, 16],
  [1408, 16],
  [1664, 16],
]);

/** CLIP's number of heads: one for each 64 of width, and at least one. */
export function clipHeads(width: number): number {
  return Math.max(1, Math.floor(width / HEAD_WIDTH));
}

/** Kind that is taken where nothing says it: QuickGELU, and CLIP's heads but in image towers as wide as open_clip's largest. */
export function usualKind(tower: TowerName, width: number): TowerKind {
  const wide = tower === "vision" ? WIDE_VISION_HEADS.get(width) : undefined;
  return { heads: wide ?? clipHeads(width), activation: "quick-gelu" };
}

/** True where OpenAI's own code, which knows one activation and one width of heads, computes this architecture. */
export function isOpenAiKind({ vision, text }: Architecture): boolean {
  return [vision, text].every(
    ({ width, heads, activation, mlpWidth }) =>
      activation === "quick-gelu" && heads === clipHeads(width) && mlpWidth === undefined,
  );
}

/** The part of an architecture that the shapes of its weights do not tell. */
export function kindOf({ vision, text }: Architecture): Readonly<Record<TowerName, TowerKind>> {
  const of = ({ heads, activation }: TowerKind): TowerKind => ({ heads, activation });
  return { vision: of(vision), text: of(text) };
}
