export interface KnownDatabase {
  readonly title: string;
  /** Relative to the root, as in the LIQE release. */
  readonly folder: string;
  readonly images: number;
  /** Lowest and highest score that its scale has, higher is better in every list. */
  readonly mosRange: readonly [number, number];
  /** Where its makers publish it. */
  readonly address: string;
  /** The distortion type that an image's path tells; null where it tells none. */
  readonly typeOfPath: (image: string) => string | null;
}
