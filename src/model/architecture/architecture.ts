/** Activations of a feed-forward layer: x·σ(1.702 x), OpenAI's; x·Φ(x), most of open_clip's; that by tanh, SigLIP's. */
export const ACTIVATIONS = ["quick-gelu", "gelu", "gelu-tanh"] as const;
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

/** Statistics that pixels are normalized by: CLIP's own, or a mean and deviation of 0.5. */
export const PIXEL_STATISTICS = ["CLIP's", "SigLIP's"] as const;
export type PixelStatistics = (typeof PIXEL_STATISTICS)[number];

/** The same for both towers, as far as they are known, and the statistics of their pixels. */
export type KnownKind = {
  readonly [Tower in TowerName]?: { readonly [Key in keyof TowerKind]?: TowerKind[Key] | undefined } | undefined;
} & { readonly pixels?: PixelStatistics | undefined };

export const TOWER_NAMES = ["vision", "text"] as const;
export type TowerName = (typeof TOWER_NAMES)[number];

/** CLIP's vision transformer. */
export interface VisionTransformer extends Transformer {
  readonly kind?: "vit" | undefined;
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

/** CLIP's modified ResNet with attention pooling: three convolutions, four stages of bottlenecks, attention over the last. */
export interface ResNet {
  readonly kind: "resnet";
  /** Side of the square input in pixels, a multiple of 32. */
  readonly imageSize: number;
  /** Channels after the stem; the last stage gives 32 times as many. */
  readonly width: number;
  /** Bottlenecks of each of the four stages. */
  readonly stages: readonly number[];
  /** Heads of the attention pooling. */
  readonly heads: number;
}

/** SigLIP's vision transformer: no class token; a learned query attends to the last states (arXiv 2303.15343). */
export interface SiglipVision extends Transformer {
  readonly kind: "siglip";
  /** Side of the square input in pixels, a multiple of the patch. */
  readonly imageSize: number;
  /** Side of one token's square in pixels. */
  readonly patchSize: number;
}

export type VisionArchitecture = VisionTransformer | ResNet | SiglipVision;
/** Kinds of image encoders, for tables that the compiler holds complete. */
export type VisionKind = NonNullable<VisionArchitecture["kind"]>;

/** Statistics by which an image tower's pixels are normalized. */
export function pixelsOf({ kind }: Pick<VisionArchitecture, "kind">): PixelStatistics {
  return kind === "siglip" ? "SigLIP's" : "CLIP's";
}

/** True for CLIP's own vision transformer. */
export function isVit(vision: VisionArchitecture): vision is VisionTransformer {
  return vision.kind === undefined || vision.kind === "vit";
}

/** Pixels of a ResNet's side that one place of its last stage stands for. */
export const RESNET_REDUCTION = 32;

/** Channels that a bottleneck's last convolution gives, in those of its others. */
const EXPANSION = 4;

/** Channels of a stage, counted from 0: that come in, inside of its bottlenecks, and that go out. */
export function resNetWidths({ width }: Pick<ResNet, "width">, stage: number) {
  const planes = width * 2 ** stage;
  return { input: stage === 0 ? width : (planes / 2) * EXPANSION, planes, output: planes * EXPANSION };
}

/** Channels of a ResNet's last stage: the width of its attention pooling. */
export function resNetOutput(vision: Pick<ResNet, "width" | "stages">): number {
  return resNetWidths(vision, vision.stages.length - 1).output;
}

/** Convolution of a ResNet: side of its output, channels in and out, side of its kernel. */
interface Convolution {
  readonly side: number;
  readonly from: number;
  readonly to: number;
  readonly kernel: number;
}

/** Convolutions of a ResNet from the input up, those of its shortcuts among them. */
export function resNetConvolutions(vision: ResNet): Convolution[] {
  const { imageSize, width } = vision;
  const half = imageSize / 2;
  const stem = [
    { side: half, from: 3, to: width / 2, kernel: 3 },
    { side: half, from: width / 2, to: width / 2, kernel: 3 },
    { side: half, from: width / 2, to: width, kernel: 3 },
  ];
  const stages = vision.stages.flatMap((blocks, stage) => {
    const { input, planes, output } = resNetWidths(vision, stage);
    const side = imageSize / 4 / 2 ** stage;
    return Array.from({ length: blocks }, (_, i) => {
      const before = i === 0 && stage > 0 ? 2 * side : side; // a stage's first block halves the side between its convolutions
      return [
        { side: before, from: i === 0 ? input : output, to: planes, kernel: 1 },
        { side: before, from: planes, to: planes, kernel: 3 },
        { side, from: planes, to: output, kernel: 1 },
        ...(i === 0 ? [{ side, from: input, to: output, kernel: 1 }] : []),
      ];
    }).flat();
  });
  return [...stem, ...stages];
}

/** One level of the hierarchical stem: `stride` x `stride` neighbors become one vector of `width`. */
export type StemStage = { readonly stride: number; readonly width: number };

export interface TextArchitecture extends Transformer {
  /** SigLIP's is not causal: every token of a padded prompt sees every other, and its last one is read. CLIP's if unnamed. */
  readonly kind?: "siglip" | undefined;
  /** Positions, and so the most tokens of a prompt; 77 in CLIP. */
  readonly contextLength: number;
  /** Rows of the token embedding; 49,408 in CLIP. */
  readonly vocabulary: number;
}

/** Architecture of a CLIP-style dual encoder: two towers that meet in one embedding space. */
export interface Architecture {
  readonly vision: VisionArchitecture;
  readonly text: TextArchitecture;
  /** Size of the space in which image and text are compared. */
  readonly embedding: number;
}

/** CLIP with a vision transformer. */
export type VitArchitecture = Architecture & { readonly vision: VisionTransformer };

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

/** Heads of SigLIP's towers whose heads have another width than 64, by the tower's: so400m and g-opt. */
const WIDE_SIGLIP_HEADS: ReadonlyMap<number, number> = new Map([
  [1152, 16],
  [1536, 16],
]);

/** Kind of a SigLIP's tower that is taken where nothing says it: that of the published ones. */
export function usualSiglipKind(width: number): TowerKind {
  return { heads: WIDE_SIGLIP_HEADS.get(width) ?? clipHeads(width), activation: "gelu-tanh" };
}

/** Kind that is taken where nothing says it: QuickGELU, and CLIP's heads but in image towers as wide as open_clip's largest. */
export function usualKind(tower: TowerName, width: number): TowerKind {
  const wide = tower === "vision" ? WIDE_VISION_HEADS.get(width) : undefined;
  return { heads: wide ?? clipHeads(width), activation: "quick-gelu" };
}

/** True where OpenAI's own code, which knows one activation and one width of heads, computes this architecture. */
export function isOpenAiKind({ vision, text }: Architecture): boolean {
  const isOfTransformer = ({ width, heads, activation, mlpWidth }: Transformer) =>
    activation === "quick-gelu" && heads === clipHeads(width) && mlpWidth === undefined;
  if (vision.kind === "siglip") return false;
  const isImageTowers =
    vision.kind === "resnet" ? vision.heads === clipHeads(resNetOutput(vision)) : isOfTransformer(vision);
  return isImageTowers && isOfTransformer(text);
}

/** The part of an architecture that the shapes of its weights do not tell; a ResNet's activation is always ReLU. */
export function kindOf({ vision, text }: Architecture): KnownKind {
  const of = ({ heads, activation }: TowerKind): TowerKind => ({ heads, activation });
  const ofVision = vision.kind === "resnet" ? { heads: vision.heads } : of(vision);
  return { vision: ofVision, text: of(text), pixels: pixelsOf(vision) };
}
