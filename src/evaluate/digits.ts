/** Numbers on pictures, drawn without a font: libvips would need one of the system's, and there may be none. */
import type { Rgb } from "./colorScale.js";

/** Dots of each sign, three across and five down. */
const DOTS: Readonly<Record<string, string>> = {
  "0": "### #.# #.# #.# ###",
  "1": ".#. ##. .#. .#. ###",
  "2": "### ..# ### #.. ###",
  "3": "### ..# ### ..# ###",
  "4": "#.# #.# ### ..# ..#",
  "5": "### #.. ### ..# ###",
  "6": "### #.. ### #.# ###",
  "7": "### ..# ..# ..# ..#",
  "8": "### #.# ### #.# ###",
  "9": "### #.# ### ..# ###",
  ".": "... ... ... ... .#.",
  "-": "... ... ### ... ...",
};

/** Pixels along a dot's side. */
const DOT = 3;
const SIGN_COLS = 4 * DOT;
export const NUMBER_ROWS = 5 * DOT;

/** Pixels that a number takes across. */
export function numberCols(text: string): number {
  return text.length * SIGN_COLS - DOT;
}

/** Writes digits, points and minus signs into RGB pixels, `cols` to a row. @throws {RangeError} for any other sign */
export function drawNumber(
  { cols, pixels }: { readonly cols: number; readonly pixels: Uint8Array },
  text: string,
  top: number,
  left: number,
  ink: Rgb,
): void {
  Array.from(text).forEach((sign, i) => {
    const dots = DOTS[sign];
    if (dots === undefined) throw new RangeError(`drawNumber: cannot draw "${sign}" of "${text}"`);
    dots.split(" ").forEach((line, down) => {
      Array.from(line).forEach((dot, across) => {
        if (dot !== "#") return;
        for (let row = 0; row < DOT; row++) {
          const start = (top + down * DOT + row) * cols + left + i * SIGN_COLS + across * DOT;
          for (let col = 0; col < DOT; col++) pixels.set(ink, (start + col) * 3);
        }
      });
    });
  });
}
