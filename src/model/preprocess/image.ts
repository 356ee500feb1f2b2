/** A picture in memory. */
export interface Image {
  readonly rows: number;
  readonly cols: number;
  /** [rows, cols, 3], RGB, 0 to 255; read-only by agreement, since a cache may share it. */
  readonly pixels: Uint8Array;
}

/** A picture at the size at which windows are cut; where that is not its own, windows alone are resized. */
export interface SizedImage {
  readonly rows: number;
  readonly cols: number;
  readonly source: Image;
}

/** A picture that has its size. */
export function sized(source: Image): SizedImage {
  return { rows: source.rows, cols: source.cols, source };
}

/** Megapixels above which an image is refused before it is decoded, where the config says nothing else. */
export const DEFAULT_MAX_MEGAPIXELS = 64;

/** Seconds after which a read that does not end is given up, where the config says nothing else. */
export const DEFAULT_STALL_SECONDS = 300;

/** A part of a picture, in pixels. */
export interface Region {
  readonly top: number;
  readonly left: number;
  readonly rows: number;
  readonly cols: number;
}

/** Side of a window in pixels: the input size of CLIP's vision towers. */
export const WINDOW = 224;
