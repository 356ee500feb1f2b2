import { describe, expect, it } from "vitest";
import { DataError } from "../../../src/base/errors.js";
import { lumaOf, sized } from "../../../src/model/preprocess/image.js";
import {
  checkSmall,
  resizeBilinear,
  resized,
  sizeImage,
  sizeWithShorterSide,
} from "../../../src/model/preprocess/resize.js";
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

describe("a region of a resized image", () => {
  const source = mapImage(30, 41, 5);

  it.each([
    [17, 64],
    [64, 17],
    [30, 20],
    [45, 41],
    [30, 41],
  ])("has the pixels of the whole, %i x %i", (rows, cols) => {
    const whole = resizeBilinear(source, rows, cols);
    for (const region of [
      { top: 3, left: 2, rows: 9, cols: 11 },
      { top: 0, left: 0, rows, cols: 5 },
      { top: 4, left: 0, rows: rows - 4, cols },
      { top: rows - 1, left: cols - 1, rows: 1, cols: 1 },
    ]) {
      const part = resizeBilinear(source, rows, cols, region);
      expect([part.rows, part.cols]).toEqual([region.rows, region.cols]);
      const wanted = Array.from({ length: region.rows }, (_, row) => {
        const start = ((region.top + row) * cols + region.left) * 3;
        return [...whole.pixels.subarray(start, start + region.cols * 3)];
      });
      expect([...part.pixels.subarray(0, region.rows * region.cols * 3)]).toEqual(wanted.flat());
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

  it("says the whole of what is wrong, and what to do", () => {
    const rule = { small: "error" } as const;
    expect(() => sizeImage(mapImage(300, 223), rule, "dir/x.png")).toThrow(
      new DataError(
        "dir/x.png: 223 x 300 pixels are less than 224 on a side; leave it out, or enlarge such images with " +
          '"small: resize" (data.small in a config, --small resize)',
      ),
    );
    expect(() => sizeImage(mapImage(383, 500), { ...rule, window: 384 }, "x.png")).toThrow(
      "are less than 384 on a side",
    );
    expect(() =>
      sizeImage({ ...mapImage(1, 1), rows: 8, cols: 801 }, { small: "resize", window: 800 }, "x.png"),
    ).toThrow(
      new DataError(
        "x.png: 801 x 8 pixels, enlarged to 80100 x 800, are more than 64 megapixels; leave it out, or crop it",
      ),
    );
  });

  it("takes an image of just the window, or of just 64 megapixels", () => {
    expect(sizeImage(mapImage(384, 385), { small: "error", window: 384 }, "x.png")).toMatchObject({
      rows: 384,
      cols: 385,
    });
    const strip = { rows: 8, cols: 800, pixels: new Uint8Array(8 * 800 * 3) };
    expect(sizeImage(strip, { small: "resize", window: 800 }, "x.png")).toMatchObject({ rows: 800, cols: 80_000 });
    checkSmall({ rows: 224, cols: 224 }, { small: "error" }, "x.png");
    expect(() => {
      checkSmall({ rows: 224, cols: 223 }, { small: "error" }, "x.png");
    }).toThrow("223 x 224 pixels");
  });

  it("resizes 769 to 768, and gives an image of its own size as it is", () => {
    expect(sizeImage(mapImage(769, 1538), { small: "error" }, "x.png")).toMatchObject({ rows: 768, cols: 1536 });
    const image = mapImage(230, 240);
    expect(resized(sizeImage(image, { small: "error" }, "x.png"))).toBe(image);
    expect(sized(image)).toEqual({ rows: 230, cols: 240, source: image });
  });
});

describe("lumaOf", () => {
  it("weighs the colors as PIL does", () => {
    expect([lumaOf(255, 0, 0), lumaOf(0, 255, 0), lumaOf(0, 0, 255), lumaOf(1, 1, 1)]).toBeAllClose(
      [76.245, 149.685, 29.07, 1],
      { rtol: 1e-12, atol: 0 },
    );
  });
});
