import { describe, expect, it } from "vitest";
import { contentOf } from "../../../src/data/databases/content.js";

describe("contentOf", () => {
  it.each([
    ["kadid10k", "images/I07_24_05.png", "I07"],
    ["kadid10k", "images/I07.png", "I07"],
    ["csiq", "dst_imgs/awgn/1600.AWGN.1.png", "1600"],
    ["csiq", "src_imgs/1600.png", "1600"],
    ["tid2013", "distorted_images/i24_08_2.bmp", "I24"],
    ["pipal", "Distortion_1/A0012_03_07.bmp", "A0012"],
    ["photos", "images/coffee/gaussian_blur_3.png", "coffee"],
    ["live", "jp2k/img12.bmp", null],
    ["koniq10k", "1024x768/10004473376.jpg", null],
    ["mine", "images/holiday/IMG_2034.jpg", null],
  ])("%s: %s is of %s", (database, image, content) => {
    expect(contentOf({ database, image })).toBe(content);
  });
});
