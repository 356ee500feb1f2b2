import { describe, expect, it } from "vitest";
import { BMP_HEADER_BYTES, decodeBmp, readBmpHeader } from "../../../src/data/images/bmp.js";

interface Fields {
  readonly rows?: number;
  readonly cols?: number;
  readonly bits?: number;
  readonly compression?: number;
  readonly colors?: number;
  readonly headerBytes?: number;
  readonly offset?: number;
  /** What follows the header: masks, palette and pixels. */
  readonly rest?: readonly number[];
}

/** A BMP of these fields; 12 bytes of header are OS/2's. */
function bmp({
  rows = 1,
  cols = 1,
  bits = 24,
  compression = 0,
  colors = 0,
  headerBytes = 40,
  offset,
  rest = [],
}: Fields): Buffer {
  const bytes = Buffer.alloc(14 + headerBytes);
  bytes.write("BM");
  bytes.writeUInt32LE(offset ?? bytes.length, 10);
  bytes.writeUInt32LE(headerBytes, 14);
  if (headerBytes === 12) {
    bytes.writeUInt16LE(cols, 18);
    bytes.writeUInt16LE(rows, 20);
    bytes.writeUInt16LE(bits, 24);
  } else {
    bytes.writeInt32LE(cols, 18);
    bytes.writeInt32LE(rows, 22);
    bytes.writeUInt16LE(bits, 28);
    bytes.writeUInt32LE(compression, 30);
    bytes.writeUInt32LE(colors, 46);
  }
  return Buffer.concat([bytes, Buffer.from(rest)]);
}

const decoded = (fields: Fields) => [...decodeBmp(bmp(fields), "a.bmp").pixels];

function refusal(work: () => unknown): string {
  try {
    work();
    return "nothing was refused";
  } catch (error) {
    return (error as Error).message; // its text is compared
  }
}

const words = (...values: readonly number[]) =>
  values.flatMap((value) => [...Buffer.from(new Uint32Array([value]).buffer)]);

/** Four colors: black, and each of red, green and blue in another strength, as [blue, green, red, 0]. */
const PALETTE = [0, 0, 0, 0, 0, 0, 200, 0, 0, 100, 0, 0, 50, 0, 0, 0];
const [BLACK, RED, GREEN, BLUE] = [[0, 0, 0], [200, 0, 0], [0, 100, 0], [0, 0, 50]]; // prettier-ignore

describe("readBmpHeader", () => {
  it("tells sizes, bits, storage and the place of the pixels", () => {
    expect(BMP_HEADER_BYTES).toBe(54);
    expect(readBmpHeader(bmp({ rows: -3, cols: 5, bits: 4, compression: 0, colors: 7, offset: 0 }), "a")).toEqual({
      ...{ rows: 3, cols: 5, bitsPerPixel: 4, isTopDown: true, headerBytes: 40, colors: 7 },
      ...{ pixelOffset: 54 + 28, storage: "plain" },
    });
    const os2 = bmp({ rows: 3, cols: 5, bits: 8, headerBytes: 12, offset: 0, rest: Array<number>(40).fill(0) });
    expect(readBmpHeader(os2, "a")).toMatchObject({
      rows: 3,
      cols: 5,
      colors: 256,
      pixelOffset: 26 + 768,
      isTopDown: false,
    });
    const offsetOf = (fields: Fields) => readBmpHeader(bmp({ rest: words(0, 0, 0), ...fields }), "a").pixelOffset;
    expect(offsetOf({ bits: 1, offset: 54 })).toBe(54 + 8); // the header's end, though a palette follows
    expect(offsetOf({ bits: 1, offset: 60 })).toBe(60);
    expect(offsetOf({ bits: 24, offset: 0 })).toBe(54);
    expect(offsetOf({ bits: 16, compression: 3, offset: 0 })).toBe(54 + 12);
    expect(offsetOf({ bits: 16, compression: 3, offset: 0, headerBytes: 108 })).toBe(122);
  });

  it.each<readonly [Fields, string]>([
    [{ headerBytes: 41, compression: 4 }, "a BMP of compression 4 is not read"],
    [{ headerBytes: 125 }, "a BMP header of 125 bytes is not read"],
    [{ bits: 2 }, "a BMP of 2 bits a pixel, stored as plain, is not read"],
    [{ bits: 4, compression: 1 }, "a BMP of 4 bits a pixel, stored as runs, is not read"],
    [{ bits: 8, compression: 2 }, "a BMP of 8 bits a pixel, stored as runs, is not read"],
    [{ bits: 8, compression: 3 }, "a BMP of 8 bits a pixel, stored as masked, is not read"],
    [{ bits: 8, compression: 1, rows: -1 }, "a run-length coded BMP that begins at the top is not read"],
    [{ bits: 1, colors: 3 }, "3 colors do not fit 1 bits"],
    [{ rows: 0 }, "a BMP of 1 x 0 pixels holds nothing"],
    [{ cols: 0 }, "a BMP of 0 x 1 pixels holds nothing"],
    [{ cols: -2 }, "a BMP of -2 x 1 pixels holds nothing"],
  ])("refuses %j", (fields, fault) => {
    const message = `a.bmp: ${fault}; convert it to PNG or a 24-bit BMP`;
    expect(refusal(() => readBmpHeader(bmp(fields), "a.bmp"))).toBe(message);
  });

  it("takes the largest and the smallest header and palette, and no fewer bytes than it has", () => {
    expect(readBmpHeader(bmp({ headerBytes: 124 }), "a").headerBytes).toBe(124);
    expect(readBmpHeader(bmp({ bits: 1, colors: 2 }), "a").colors).toBe(2);
    expect(readBmpHeader(bmp({}), "a").colors).toBe(0);
    const message = "a.bmp: the BMP header is cut off; get the file again";
    expect(refusal(() => readBmpHeader(bmp({}).subarray(0, 53), "a.bmp"))).toBe(message);
    const small = Buffer.alloc(54);
    small.writeUInt32LE(39, 14);
    expect(refusal(() => readBmpHeader(small, "a.bmp"))).toContain("a BMP header of 39 bytes");
  });
});

describe("decodeBmp", () => {
  it("looks up 1, 4 and 8 bits, from the bottom or the top, each row filled to four bytes", () => {
    const two = { cols: 9, bits: 1, colors: 2, rest: [...PALETTE.slice(0, 8), 0b10000001, 0b10000000, 0, 0] };
    expect(decoded(two)).toEqual([1, 0, 0, 0, 0, 0, 0, 1, 1].flatMap((on) => (on === 1 ? RED : BLACK)));
    const four = { rows: 2, cols: 3, bits: 4, colors: 4, rest: [...PALETTE, 0x12, 0x30, 0, 0, 0x30, 0x10, 0, 0] };
    expect(decoded(four)).toEqual([BLUE, BLACK, RED, RED, GREEN, BLUE].flat());
    expect(decoded({ ...four, rows: -2 })).toEqual([RED, GREEN, BLUE, BLUE, BLACK, RED].flat());
    expect(decoded({ cols: 3, bits: 8, colors: 4, rest: [...PALETTE, 3, 200, 1, 0] })).toEqual(
      [BLUE, BLACK, RED].flat(),
    ); // black past its end
    const os2 = [1, 2, 3, 4, 5, 6];
    expect(decoded({ cols: 2, bits: 1, headerBytes: 12, rest: [...os2, 0b01000000, 0, 0, 0, ...Array<number>(24).fill(0)] })).toEqual([3, 2, 1, 6, 5, 4]); // prettier-ignore
  });

  it("reads 24 and 32 bits with blue first, and by masks of whole bytes", () => {
    expect(decoded({ rows: 2, cols: 1, rest: [1, 2, 3, 0, 4, 5, 6, 0] })).toEqual([6, 5, 4, 3, 2, 1]);
    expect(decoded({ cols: 2, bits: 32, rest: [1, 2, 3, 9, 4, 5, 6, 9] })).toEqual([3, 2, 1, 6, 5, 4]);
    const masked = { compression: 3, offset: 66 };
    const rest = [...words(0xff, 0xff00, 0xff000000), 1, 2, 3, 4];
    expect(decoded({ ...masked, bits: 32, rest })).toEqual([1, 2, 4]);
    expect(decoded({ ...masked, bits: 24, rest: [...words(0xff, 0xff0000, 0xff00), 1, 2, 3, 0] })).toEqual([1, 3, 2]);
  });

  it("stretches 16 bits to 255, fractions cut off", () => {
    const short = (value: number) => [value & 255, value >> 8, 0, 0];
    expect(decoded({ bits: 16, rest: short((16 << 10) | (1 << 5) | 31) })).toEqual([131, 8, 255]);
    const masked = { bits: 16, compression: 3, offset: 66 };
    expect(decoded({ ...masked, rest: [...words(0xf800, 0x7e0, 0x1f), ...short((31 << 11) | (32 << 5) | 3)] })).toEqual([255, 129, 24]); // prettier-ignore
    expect(decoded({ ...masked, rest: [...words(0xf, 0xf0, 0xf00), ...short(0x4c1)] })).toEqual([17, 204, 68]);
  });

  it.each<readonly [Fields, string]>([
    [{ bits: 32, rest: words(0x3ff00000, 0xff00, 0xff) }, "32 bits with the color masks 3ff00000 0000ff00 000000ff"],
    [{ bits: 32, rest: words(0xff0, 0xff00, 0xff) }, "32 bits with the color masks 00000ff0 0000ff00 000000ff"],
    [{ bits: 24, rest: words(0xff000000, 0xff00, 0xff) }, "24 bits with the color masks ff000000 0000ff00 000000ff"],
    [{ bits: 16, rest: words(0x1f000, 0x7e0, 0x1f) }, "16 bits with the color masks 0001f000 000007e0 0000001f"],
    [{ bits: 16, rest: words(0, 0x7e0, 0x1f) }, "16 bits with the color masks 00000000 000007e0 0000001f"],
    [{ bits: 16, rest: words(0b101, 0x7e0, 0x1f) }, "16 bits with the color masks 00000005 000007e0 0000001f"],
    [
      { bits: 16, rest: words(0xf800, 0x7e0, 0x1f), offset: 65 },
      "16 bits with the color masks 0000f800 000007e0 00000000",
    ],
    [
      { bits: 16, rest: words(0xf800, 0x7e0, 0x1f).slice(0, 11) },
      "16 bits with the color masks 0000f800 000007e0 00000000",
    ],
  ])("refuses masks that no bits fit: %j", (fields, told) => {
    const work = () => decodeBmp(bmp({ compression: 3, offset: 66, ...fields }), "a.bmp");
    expect(refusal(work)).toBe(`a.bmp: a BMP of ${told} is not read; convert it to PNG or a 24-bit BMP`);
  });

  it("says where a file is cut off", () => {
    const pixels = { rows: 2, cols: 2, rest: Array<number>(16).fill(1) };
    expect(decoded(pixels)).toEqual(Array<number>(12).fill(1));
    expect(refusal(() => decoded({ ...pixels, rest: Array<number>(15).fill(1) }))).toBe(
      "a.bmp: the BMP is cut off at 69 of 70 bytes; get the file again",
    );
    const palette = { bits: 1, cols: 1, colors: 2, rest: PALETTE.slice(0, 7) };
    expect(refusal(() => decoded(palette))).toBe("a.bmp: the BMP is cut off in its palette; get the file again");
  });

  it("expands runs, pairs of half bytes, single pixels, ends of rows and jumps", () => {
    const eight = (rows: number, cols: number, ...coded: readonly number[]) =>
      decoded({ rows, cols, bits: 8, compression: 1, colors: 4, rest: [...PALETTE, ...coded] });
    const four = (rows: number, cols: number, ...coded: readonly number[]) =>
      decoded({ rows, cols, bits: 4, compression: 2, colors: 4, rest: [...PALETTE, ...coded] });
    expect(eight(2, 2, 2, 1, 0, 0, 1, 2, 1, 3)).toEqual([GREEN, BLUE, RED, RED].flat());
    expect(eight(1, 3, 0, 3, 1, 2, 3, 0)).toEqual([RED, GREEN, BLUE].flat());
    expect(eight(2, 3, 1, 1, 0, 2, 1, 1, 1, 3)).toEqual([BLACK, BLACK, BLUE, RED, BLACK, BLACK].flat());
    expect(four(1, 5, 5, 0x12)).toEqual([RED, GREEN, RED, GREEN, RED].flat());
    expect(four(1, 4, 0, 4, 0x12, 0x30)).toEqual([RED, GREEN, BLUE, BLACK].flat());
    const ended = "a.bmp: the BMP's runs do not fill its picture; get the file again";
    expect(refusal(() => eight(1, 3, 2, 1, 0, 1))).toBe(ended);
    expect(refusal(() => eight(1, 3, 2, 1, 0, 1, 1, 3))).toBe(ended); // what follows the picture's end is not looked at
    expect(refusal(() => eight(1, 3, 2, 1, 3))).toBe(ended);
    expect(refusal(() => eight(1, 3, 0, 3, 1, 2))).toBe(ended);
    expect(eight(1, 3, 0, 3, 1, 2, 3)).toEqual([RED, GREEN, BLUE].flat());
  });
});
