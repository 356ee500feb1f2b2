/** A picture in memory. */
export interface DecodedImage {
  readonly rows: number;
  readonly cols: number;
  /** [rows, cols, 3], RGB, 0 to 255; read-only by agreement, since a cache may share it. */
  readonly pixels: Uint8Array;
}

/** Megapixels above which an image is refused before it is decoded, where the config says nothing else. */
export const DEFAULT_MAX_MEGAPIXELS = 64;

/** Seconds after which a read that does not end is given up, where the config says nothing else. */
export const DEFAULT_STALL_SECONDS = 300;
