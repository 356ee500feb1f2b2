export interface Image {
  readonly rows: number;
  readonly cols: number;
  /** [rows, cols, 3], RGB, 0 to 255; read-only by agreement, since a cache may share it. */
  readonly pixels: Uint8Array;
}

/** Image at the size at which windows are cut; where that is not its own, only the windows are resized. */
export type SizedImage = { readonly rows: number; readonly cols: number; readonly source: Image };

/** An image at its own size. */
export function sized(source: Image): SizedImage {
  return { rows: source.rows, cols: source.cols, source };
}

/** Default of the megapixels above which an image is refused before it is decoded. */
export const DEFAULT_MAX_MEGAPIXELS = 64;

/** Default of the seconds after which a read that does not end is given up. */
export const DEFAULT_STALL_SECONDS = 300;

/** Part of an image, in pixels. */
export interface Region {
  readonly top: number;
  readonly left: number;
  readonly rows: number;
  readonly cols: number;
}

/** Side of a window in pixels where nothing says another: the input of most of CLIP's image encoders. */
export const WINDOW = 224;

/** Largest side of a window: images are reduced to a shorter side of this many pixels before windows are cut. */
export const LARGEST_WINDOW = 768;

/** Luma Y' of ITU-R BT.601, on the scale of the samples, as PIL's `convert("L")` weighs the colors. */
export function lumaOf(r: number, g: number, b: number): number {
  return 0.299 * r + 0.587 * g + 0.114 * b;
}
