import { describe, expect, it } from "vitest";
import { resizeBilinear, resized, sizeImage, sizeWithShorterSide } from "../../../src/model/preprocess/resize.js";
import { expected, mapImage, unpack } from "../../data/images.js";

describe("resizeBilinear", () => {
  it.each(expected.resized)(
    "gives PIL's pixels from $from.rows x $from.cols to $to.rows x $to.cols",
    ({ from, to }) => {
      const image = resizeBilinear(unpack(from), to.rows, to.cols);
      const wanted = unpack(to);
      expect([image.rows, image.cols]).toEqual([wanted.rows, wanted.cols]);
      expect(Buffer.from(image.pixels).equals(wanted.pixels)).toBe(true);
    },
  );

  it("leaves one colour that colour, white and black too", () => {
    for (const level of [0, 1, 127, 255]) {
      const flat = { rows: 30, cols: 41, pixels: new Uint8Array(30 * 41 * 3).fill(level) };
      const { pixels } = resizeBilinear(flat, 17, 64);
      expect(pixels).toEqual(new Uint8Array(17 * 64 * 3).fill(level));
    }
  });
});

describe("sizeWithShorterSide", () => {
  it("cuts the longer side to whole pixels as torchvision does", () => {
    expect(sizeWithShorterSide(1000, 1500, 768)).toEqual({ rows: 768, cols: 1152 });
    expect(sizeWithShorterSide(1281, 960, 768)).toEqual({ rows: 1024, cols: 768 }); // 1024.8
  });
});

describe("prepareImage", () => {
  it("reduces an image only where both sides exceed 768", () => {
    const size = (rows: number, cols: number) => {
      const { rows: r, cols: c } = resized(sizeImage(mapImage(rows, cols), { small: "error" }, "x.png"));
      return [r, c];
    };
    expect(size(768, 1024)).toEqual([768, 1024]);
    expect(size(767, 1024)).toEqual([767, 1024]);
    expect(size(800, 1000)).toEqual([768, 960]);
    expect(size(1000, 800)).toEqual([960, 768]);
  });

  it("refuses to enlarge a strip of a few pixels beyond 64 megapixels", () => {
    const strip = (rows: number, cols: number) => () => sizeImage(mapImage(rows, cols), { small: "resize" }, "x.png");
    expect(strip(2, 10_000)).toThrow(
      /^x\.png: 10000 x 2 pixels, enlarged to 1120000 x 224, are more than 64 megapixels/,
    );
    expect(strip(30_000, 1)).toThrow(/^x\.png: 1 x 30000 pixels, enlarged to 224 x 6720000/);
    expect(strip(2, 2000)()).toMatchObject({ rows: 224, cols: 224_000 });
  });

  it("refuses a side below 224 by name, or enlarges where told to", () => {
    expect(() => sizeImage(mapImage(300, 223), { small: "error" }, "dir/x.png")).toThrow(
      /^dir\/x\.png: 223 x 300 pixels are less than 224 on a side; /,
    );
    expect(resized(sizeImage(mapImage(150, 100), { small: "resize" }, "x.png"))).toMatchObject({
      rows: 336,
      cols: 224,
    });
    expect(resized(sizeImage(mapImage(224, 224), { small: "error" }, "x.png"))).toMatchObject({ rows: 224, cols: 224 });
  });
});
