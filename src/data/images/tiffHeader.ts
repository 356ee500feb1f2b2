import { DataError } from "../../base/errors.js";

/** Tags that decide how samples become colors (TIFF 6.0, sections 8, 18 to 22), with their values where they miss. */
const TAGS = { bits: 258, compression: 259, photometric: 262, samples: 277, sampleFormat: 339 };
type Tags = Partial<Record<keyof typeof TAGS, readonly number[]>>;

/** Bytes of one value, by the type that a tag names; other types hold no whole numbers. */
const VALUE_BYTES: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4, 16: 8 };

/** Most values that are looked at: samples of a pixel, of which no photograph has more. */
const MOST_VALUES = 16;

const PHOTOMETRIC = { white: 0, black: 1, rgb: 2, palette: 3, inks: 5, yCbCr: 6 } as const;
const JPEG = 7;

/** Colors and codings that PIL or libvips do not read, or that libvips would take for something else. */
const OTHER_COLORS: Readonly<Record<number, string>> = {
  4: "a mask",
  8: "CIE L*a*b*",
  9: "ICC L*a*b*",
  10: "ITU L*a*b*",
  32803: "a sensor's raw pattern",
  32844: "LogL",
  32845: "LogLuv",
  34892: "linear raw samples of a sensor",
};
const OTHER_CODINGS: Readonly<Record<number, string>> = {
  34887: "LERC",
  34925: "LZMA",
  50000: "Zstandard",
  50002: "JPEG XL",
};

/**
 * Looks at the header of a TIFF for what would be misread: other colors than gray, palette, RGB and inks, floating
 * point or signed samples, depths that PIL does not know. What is damaged is left to the decoder.
 * @throws {DataError} naming the kind and what to convert it to
 */
export function checkTiff(bytes: Buffer, file: string): void {
  const { bits = [1], compression = [1], photometric = [], samples = [1], sampleFormat = [1] } = tagsOf(bytes);
  const [color] = photometric;
  const [coding = 1] = compression;
  const count = samples[0] ?? 1;
  const refuse = (what: string) => new DataError(`${file}: a TIFF ${what} is not read; convert it to 8-bit RGB or PNG`);
  const otherCoding = OTHER_CODINGS[coding];
  if (otherCoding !== undefined) throw refuse(`compressed by ${otherCoding}`);
  if (color === undefined) return; // damaged: the decoder says how
  if (!Object.values<number>(PHOTOMETRIC).includes(color))
    throw refuse(`of ${OTHER_COLORS[color] ?? `color ${color}`}`);
  if (color === PHOTOMETRIC.yCbCr && coding !== JPEG) throw refuse("of Y, Cb and Cr without JPEG compression");
  const format = sampleFormat.find((kind) => kind !== 1 && kind !== 4); // 4: not said
  if (format !== undefined)
    throw refuse(`of ${format === 3 ? "floating point" : format === 2 ? "signed" : "complex"} samples`);
  const depth = depthOf(bits, count);
  const isColored = color === PHOTOMETRIC.rgb || color === PHOTOMETRIC.inks;
  const depths = isColored ? [8, 16] : color === PHOTOMETRIC.yCbCr ? [8] : [1, 2, 4, 8, 16];
  if (!depths.includes(depth)) throw refuse(`of ${bits.join(", ")} bits a sample`);
}

/** Bits of every sample; NaN where they differ. Of several samples one number may stand for all. */
function depthOf(bits: readonly number[], samples: number): number {
  const [first = NaN] = bits;
  return bits.slice(0, samples).every((depth) => depth === first) ? first : NaN;
}

/** Tags of the first picture; none where the header leads out of the file. */
function tagsOf(bytes: Buffer): Tags {
  const isLittle = bytes[0] === 0x49;
  const isBig = (isLittle ? bytes[2] : bytes[3]) === 43; // BigTIFF: offsets of 8 bytes
  const number = (at: number, size: number) => {
    if (at < 0 || at + size > bytes.length) throw new RangeError("past the end");
    if (size === 8) return Number(isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
    return isLittle ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size);
  };
  const [offsetBytes, entryBytes, countBytes] = isBig ? [8, 20, 8] : [4, 12, 2];
  try {
    const directory = number(isBig ? 8 : 4, offsetBytes);
    const entries = number(directory, countBytes);
    const tags: Tags = {};
    for (let i = 0; i < entries; i++) {
      const at = directory + countBytes + i * entryBytes;
      const tag = number(at, 2);
      const name = (Object.keys(TAGS) as (keyof typeof TAGS)[]).find((key) => TAGS[key] === tag); // its own keys
      const size = VALUE_BYTES[number(at + 2, 2)];
      if (name === undefined || size === undefined) continue;
      const values = Math.min(number(at + 4, offsetBytes), MOST_VALUES);
      const start = at + 4 + offsetBytes;
      const from = size * values <= offsetBytes ? start : number(start, offsetBytes);
      tags[name] = Array.from({ length: values }, (_, k) => number(from + k * size, size));
    }
    return tags;
  } catch (error) {
    if (error instanceof RangeError) return {};
    throw error;
  }
}
