import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../../src/base/errors.js";
import type { Database, ListedImage } from "../../../src/data/sample.js";
import { PACKED_LOOK } from "../../../src/data/images/look.js";
import {
  hashImages,
  NOTHING_SEEN,
  parseSeen,
  recordSeen,
  seenPath,
  withLooks,
} from "../../../src/train/checkpoint/seen.js";
import { temporaryFolder } from "../../support/runs.js";

const folder = temporaryFolder();

/** An image of a list whose file has its name for contents. */
function image(name: string): ListedImage {
  const file = join(folder, name);
  writeFileSync(file, name);
  return { database: "mine", image: name, file } as unknown as ListedImage; // all that a record takes of it
}

const sumOf = (text: string) => createHash("sha256").update(text).digest("hex");
const [a, b, c] = [image("a.png"), image("b.png"), image("c.png")];
const gone = { ...a, image: "gone.png", file: join(folder, "gone.png") };
const options = { stallSeconds: 60, report: () => undefined };

describe("recordSeen", () => {
  const lists = { train: [a, gone], val: [b], test: [c] };
  const databases = [{ name: "mine", folder, imagesPerStep: 2, ...lists } as unknown as Database]; // as far as it is read

  it("has the training and validation images by their bytes, none of the test list, and none that cannot be read", async () => {
    expect(await recordSeen(databases, null, options)).toEqual({
      format: 1,
      training: [{ path: "mine/a.png", sha256: sumOf("a.png") }],
      validation: [{ path: "mine/b.png", sha256: sumOf("b.png") }],
    });
  });

  it("begins with what the first weights had seen", async () => {
    const inherited = {
      format: 1 as const,
      training: [{ path: "old/x.png", sha256: sumOf("x") }],
      validation: [{ path: "old/y.png", sha256: sumOf("y") }],
    };
    const { training, validation } = await recordSeen(databases, inherited, options);
    expect([training, validation].map((images) => images.map((one) => one.path))).toEqual([
      ["old/x.png", "mine/a.png"],
      ["old/y.png", "mine/b.png"],
    ]);
  });

  it("has an image of several pairs once", async () => {
    const pairs = { train: [{ a, b, p: 1 }, { a, b: c, p: 0 }], val: [] }; // prettier-ignore
    const compared = { ...databases[0], train: [], val: [], pairs } as unknown as Database; // likewise
    const { training, validation } = await recordSeen([compared], null, options);
    expect(training.map(({ path }) => path).toSorted()).toEqual(["mine/a.png", "mine/b.png", "mine/c.png"]);
    expect(validation).toEqual([]);
  });
});

describe("hashImages", () => {
  it("reads each file once, but those that are known, and says how far it is", async () => {
    const reports: unknown[] = [];
    const known = new Map([[b.file, "known"]]);
    const report = (progress: unknown) => reports.push(progress);
    const hashes = await hashImages([a, b, a, gone], { ...options, report, known });
    expect(hashes).toEqual(new Map([[b.file, "known"], [a.file, sumOf("a.png")]])); // prettier-ignore
    expect(reports).toEqual([1, 2].map((done) => ({ label: "images' checksums", done, total: 2, unit: "images" })));
    expect(known.size).toBe(1);
  });
});

describe("withLooks", () => {
  it("adds looks by the path of the image, and changes none that is there", () => {
    const [first, second, third] = [a, b, c].map((one) => ({ path: seenPath(one), sha256: sumOf(one.image) }));
    const record = { format: 1, training: [{ ...first, look: "old" }, second, third], validation: [second] };
    const looks = new Map([[seenPath(a), "new"], [seenPath(b), "seen"]]); // prettier-ignore
    expect(withLooks(record as Parameters<typeof withLooks>[0], looks)).toEqual({
      ...record,
      training: [{ ...first, look: "old" }, { ...second, look: "seen" }, third],
    });
  });
});

describe("parseSeen", () => {
  const one = { path: "mine/a.png", sha256: "0".repeat(64) };

  it("takes what was written, with and without looks", () => {
    const record = { format: 1, training: [one, { ...one, look: "A".repeat(PACKED_LOOK) }], validation: [] };
    expect(parseSeen("seen.json", record)).toEqual(record);
    expect(parseSeen("seen.json", NOTHING_SEEN)).toEqual({ format: 1, training: [], validation: [] });
  });

  it.each([
    { format: 2, training: [], validation: [] },
    { format: 1, training: [] },
    { format: 1, training: [{ ...one, sha256: "0" }], validation: [] },
    { format: 1, training: [], validation: [{ ...one, look: "A".repeat(PACKED_LOOK - 4) }] },
    { format: 1, training: [], validation: [], test: [] },
    null,
  ])("refuses %j", (json) => {
    expect(() => parseSeen("seen.json", json)).toThrow(
      new CheckpointError("seen.json: is no record of seen images; was it changed, or written by another version?"),
    );
  });
});
