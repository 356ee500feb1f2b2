import { describe, expect, it } from "vitest";
import { checkTiff } from "../../../src/data/images/tiffHeader.js";

/** Tag, type and values of an entry; type 3 has two bytes a value, 4 four, 1 one, 16 eight. */
type Entry = readonly [tag: number, type: number, ...values: readonly number[]];

const BYTES: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4, 16: 8 };

/** The header of a TIFF with these entries, in either order of bytes, in the usual form or as BigTIFF. */
function tiff(entries: readonly Entry[], { isLittle = true, isBig = false } = {}): Buffer {
  const bytes = Buffer.alloc(1000);
  const put = (value: number, at: number, size: number) => {
    if (size === 8 && isLittle) bytes.writeBigUInt64LE(BigInt(value), at);
    else if (size === 8) bytes.writeBigUInt64BE(BigInt(value), at);
    else if (isLittle) bytes.writeUIntLE(value, at, size);
    else bytes.writeUIntBE(value, at, size);
  };
  bytes.write(isLittle ? "II" : "MM", "latin1");
  put(isBig ? 43 : 42, 2, 2);
  const [offset, entry, count] = isBig ? [8, 20, 8] : [4, 12, 2];
  put(100, isBig ? 8 : 4, offset);
  put(entries.length, 100, count);
  let far = 600;
  for (const [i, [tag, type, ...values]] of entries.entries()) {
    const at = 100 + count + i * entry;
    const size = BYTES[type] ?? 1;
    put(tag, at, 2);
    put(type, at + 2, 2);
    put(values.length, at + 4, offset);
    const isInside = size * values.length <= offset;
    if (!isInside) put(far, at + 4 + offset, offset);
    const start = isInside ? at + 4 + offset : far;
    for (const [k, value] of values.entries()) put(value, start + k * size, size);
    if (!isInside) far += size * values.length;
  }
  return bytes;
}

/** Entries of an RGB picture of 8 bits, with others in place of some of them. */
function rgb(...others: readonly Entry[]): Entry[] {
  const plain: readonly Entry[] = [[258, 3, 8, 8, 8], [259, 3, 1], [262, 3, 2], [277, 3, 3]]; // prettier-ignore
  const tags = new Map([...plain, ...others].map((entry) => [entry[0], entry]));
  return [...tags.values()];
}

function refusal(bytes: Buffer): string | null {
  try {
    checkTiff(bytes, "a.tif");
    return null;
  } catch (error) {
    return (error as Error).message; // its text is compared
  }
}

const FORMS = [{}, { isLittle: false }, { isBig: true }, { isLittle: false, isBig: true }];

describe("checkTiff", () => {
  it.each<readonly [string, readonly Entry[]]>([
    ["compressed by LERC", [[259, 3, 34_887]]],
    ["compressed by LZMA", [[259, 3, 34_925]]],
    ["compressed by Zstandard", [[259, 4, 50_000]]],
    ["compressed by JPEG XL", [[259, 3, 50_002]]],
    ["of a mask", [[262, 3, 4]]],
    ["of CIE L*a*b*", [[262, 3, 8]]],
    ["of ICC L*a*b*", [[262, 3, 9]]],
    ["of ITU L*a*b*", [[262, 3, 10]]],
    ["of a sensor's raw pattern", [[262, 3, 32_803]]],
    ["of LogL", [[262, 3, 32_844]]],
    ["of LogLuv", [[262, 3, 32_845]]],
    ["of linear raw samples of a sensor", [[262, 3, 34_892]]],
    ["of color 7", [[262, 3, 7]]],
    ["of Y, Cb and Cr without JPEG compression", [[262, 3, 6]]],
    ["of floating point samples", [[339, 3, 1, 1, 3]]],
    ["of signed samples", [[339, 3, 2]]],
    ["of complex samples", [[339, 3, 4, 5]]],
    ["of 8, 8, 16 bits a sample", [[258, 3, 8, 8, 16]]],
    ["of 4, 4, 4 bits a sample", [[258, 3, 4, 4, 4]]],
    ["of 12 bits a sample", [[258, 1, 12], [262, 3, 1], [277, 3, 1]]], // prettier-ignore
    ["of 16, 16, 16 bits a sample", [[258, 3, 16, 16, 16], [259, 3, 7], [262, 3, 6]]], // prettier-ignore
    ["of 4, 4, 4, 4 bits a sample", [[258, 16, 4, 4, 4, 4], [262, 3, 5], [277, 3, 4]]], // prettier-ignore
  ])("refuses a picture %s, in each form of the header", (what, others) => {
    const message = `a.tif: a TIFF ${what} is not read; convert it to 8-bit RGB or PNG`;
    expect(FORMS.map((form) => refusal(tiff(rgb(...others), form)))).toEqual(FORMS.map(() => message));
  });

  it.each<readonly [string, readonly Entry[]]>([
    ["RGB of 8 bits", []],
    ["RGB of 16 bits", [[258, 3, 16, 16, 16]]],
    ["one number of bits for all samples", [[258, 3, 8]]],
    ["bits of samples that are not there", [[258, 3, 8, 8, 8, 99]]],
    ["gray of 1 bit", [[258, 3, 1], [262, 3, 0], [277, 3, 1]]], // prettier-ignore
    ["gray of 2 bits", [[258, 3, 2], [262, 3, 1], [277, 3, 1]]], // prettier-ignore
    ["a palette of 4 bits", [[258, 3, 4], [262, 3, 3], [277, 3, 1]]], // prettier-ignore
    ["inks of 16 bits", [[258, 3, 16, 16, 16, 16], [262, 3, 5], [277, 3, 4]]], // prettier-ignore
    ["Y, Cb and Cr in JPEG", [[259, 3, 7], [262, 3, 6]]], // prettier-ignore
    ["samples that do not say their form", [[339, 3, 4, 1, 4]]],
    ["a tag of a type that holds no whole numbers", [[339, 2, 3]]],
  ])("takes %s, in each form of the header", (_, others) => {
    expect(FORMS.map((form) => refusal(tiff(rgb(...others), form)))).toEqual(FORMS.map(() => null));
  });

  it("takes one bit of one sample where the header says nothing, and leaves what is damaged to the decoder", () => {
    expect(refusal(tiff([[262, 3, 1]]))).toBeNull();
    expect(refusal(tiff([[262, 3, 2]]))).toBe(
      "a.tif: a TIFF of 1 bits a sample is not read; convert it to 8-bit RGB or PNG",
    );
    expect(refusal(tiff([[258, 3, 99]]))).toBeNull();
    const whole = tiff(rgb([262, 3, 8]));
    for (const length of [0, 4, 8, 101, 102, 120]) expect(refusal(whole.subarray(0, length))).toBeNull();
    const far = tiff(rgb([262, 3, 8]));
    far.writeUInt32LE(0xffffffff, 4);
    expect(refusal(far)).toBeNull();
  });

  it("looks at sixteen values of a tag, whatever their number", () => {
    const many = tiff([[262, 3, 1], [277, 3, 40], [258, 3, ...Array<number>(16).fill(8), ...Array<number>(24).fill(3)]]); // prettier-ignore
    expect(refusal(many)).toBeNull();
    const late = tiff([[262, 3, 1], [277, 3, 40], [258, 3, ...Array<number>(15).fill(8), 3]]); // prettier-ignore
    expect(refusal(late)).toContain("bits a sample");
  });
});
