import { extentOf } from "../../base/collections.js";
import sharp from "sharp";
import { escapeHtml } from "../../base/text.js";
import type { Image } from "../../model/preprocess/image.js";

/** Picture of a sheet with the lines that stand below it. */
export interface Captioned extends Image {
  readonly lines: readonly string[];
}

const LINE = 18;
const MARGIN = 8;
const JPEG_QUALITY = 88;
const FONT = { font: "sans-serif 10", dpi: 96, rgba: true } as const;
/** Characters of a line that fit below a picture. */
const MOST_CHARACTERS = 34;

/** Pictures of one size in rows, captions below in the system's sans-serif font: a JPEG. */
export async function encodeContactSheet(pictures: readonly Captioned[], columns: number): Promise<Buffer> {
  const [first] = pictures;
  if (first === undefined) throw new Error("internal: encodeContactSheet: no picture");
  const { most: lines } = extentOf(pictures.map((picture) => picture.lines.length));
  const cell = { width: first.cols + MARGIN, height: first.rows + lines * LINE + 2 * MARGIN };
  const width = Math.min(columns, pictures.length) * cell.width + MARGIN;
  const height = Math.ceil(pictures.length / columns) * cell.height + MARGIN;
  const layers = pictures.flatMap((picture, i) => {
    const left = MARGIN + (i % columns) * cell.width;
    const top = MARGIN + Math.floor(i / columns) * cell.height;
    const { pixels, rows, cols } = picture;
    const raw = { width: cols, height: rows, channels: 3 as const };
    const captions = picture.lines.map((line, row) => ({
      input: { text: { text: markup(line), ...FONT } },
      ...{ left, top: top + rows + MARGIN / 2 + row * LINE },
    }));
    return [{ input: Buffer.from(pixels), raw, left, top }, ...captions];
  });
  const white = { width, height, channels: 3 as const, background: "white" };
  return sharp({ create: white }).composite(layers).jpeg({ quality: JPEG_QUALITY }).toBuffer();
}

/** A line as Pango's markup, cut off where it is too long. */
function markup(line: string): string {
  const plain = line.replace(/\p{Cc}/gu, " ");
  const signs = Array.from(plain);
  const isLong = signs.length > MOST_CHARACTERS;
  return escapeHtml(isLong ? `${signs.slice(0, MOST_CHARACTERS - 1).join("")}…` : plain);
}
