/** What a published list writes where a label is not known, or an image has no second or third scene. */
export const NOT_KNOWN = "invalid";

/** Scenes that a line of a published list has room for. */
export const SCENES_PER_LINE = 3;

interface PublishedColumns {
  readonly image: string;
  /** In as many decimals as are wanted. */
  readonly mos: string;
  readonly distortion: string | null;
  readonly scenes: readonly string[];
}

/** A line of a list in the published form: path, MOS, distortion, three scenes, tab-separated, with its line end. */
export function publishedLine({ image, mos, distortion, scenes }: PublishedColumns): string {
  const columns = Array.from({ length: SCENES_PER_LINE }, (_, i) => scenes[i] ?? NOT_KNOWN);
  return `${[image, mos, distortion ?? NOT_KNOWN, ...columns].join("\t")}\n`;
}
