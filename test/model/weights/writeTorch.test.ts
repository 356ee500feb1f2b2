import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LARGEST_ZIP, writeTorchFile } from "../../../src/model/weights/torch/writeTorch.js";
import { temporaryFolder } from "../../support/runs.js";

const WEIGHTS = new Map([
  ["logit_scale", { shape: [], values: Float32Array.of(1) }],
  ["visual.proj", { shape: [2, 3], values: Float32Array.of(0, 1, 2, 3, 4, 5) }],
]);

async function written(options: Partial<Parameters<typeof writeTorchFile>[2]> = {}, weights = WEIGHTS) {
  const file = join(temporaryFolder(), "w.pt");
  await writeTorchFile(file, weights, { dtypeOf: () => "F32", ...options });
  return readFileSync(file);
}

/** Entries of an archive by their own headers: name, place of the data, and the data. */
function entriesOf(archive: Buffer) {
  const entries: { name: string; at: number; data: Buffer }[] = [];
  for (let at = 0; archive.readUInt32LE(at) === 0x04034b50;) {
    const [size, name, extra] = [
      archive.readUInt32LE(at + 22),
      archive.readUInt16LE(at + 26),
      archive.readUInt16LE(at + 28),
    ];
    const start = at + 30 + name + extra;
    entries.push({ name: archive.toString("utf8", at + 30, at + 30 + name), at: start, data: archive.subarray(start, start + size) }); // prettier-ignore
    at = start + size;
  }
  return entries;
}

describe("writeTorchFile", () => {
  it("writes PyTorch's entries, each one's data at a multiple of 64", async () => {
    const archive = await written({ dtypeOf: (_, shape) => (shape.length === 0 ? "F32" : "F16") });
    const entries = entriesOf(archive);
    const hex = entries.slice(1).map(({ name, data }) => `${name} ${data.toString("hex")}`);
    expect(hex).toEqual([
      "archive/byteorder 6c6974746c65", // little
      "archive/data/0 0000803f",
      "archive/data/1 0000003c0040004200440045", // 0, 1, ... 5 in float16
      "archive/version 330a",
    ]);
    expect(entries.map(({ at }) => at % 64)).toEqual([0, 0, 0, 0, 0]);
    // the padding's field, "FB", and how long it is
    const padding = archive.indexOf("archive/data.pkl") + "archive/data.pkl".length;
    expect([archive.toString("latin1", padding, padding + 2), archive.readUInt16LE(padding + 2)]).toEqual([
      "FB",
      64 - 50,
    ]);
  });

  it("pickles an ordered dict of tensors, and of a wrapper around them", async () => {
    const shown = ({ data }: { data: Buffer }) => data.toString("latin1").replaceAll(/[^ -~]/g, (byte) => `<${byte.charCodeAt(0).toString(16)}>`).replaceAll("<0>", "_"); // prettier-ignore
    const [plain, wrapped, none] = [
      await written(),
      await written({ prefix: "clip.", key: "params", dtypeOf: () => "F16" }),
      await written({}, new Map()),
    ].map((archive) => entriesOf(archive)[0]);
    expect([plain, wrapped, none].map((entry) => entry?.name)).toEqual(["archive/data.pkl", "archive/data.pkl", "archive/data.pkl"]); // prettier-ignore
    expect([plain, wrapped, none].map((entry) => entry && shown(entry))).toMatchInlineSnapshot(`
      [
        "<80><2>ccollections<a>OrderedDict<a>)R(X<b>___logit_scalectorch._utils<a>_rebuild_tensor_v2<a>((X<7>___storagectorch<a>FloatStorage<a>X<1>___0X<3>___cpuJ<1>___tQJ____))<89>ccollections<a>OrderedDict<a>)RtRX<b>___visual.projctorch._utils<a>_rebuild_tensor_v2<a>((X<7>___storagectorch<a>FloatStorage<a>X<1>___1X<3>___cpuJ<6>___tQJ____(J<2>___J<3>___t(J<3>___J<1>___t<89>ccollections<a>OrderedDict<a>)RtRu.",
        "<80><2>}(X<6>___paramsccollections<a>OrderedDict<a>)R(X<10>___clip.logit_scalectorch._utils<a>_rebuild_tensor_v2<a>((X<7>___storagectorch<a>HalfStorage<a>X<1>___0X<3>___cpuJ<1>___tQJ____))<89>ccollections<a>OrderedDict<a>)RtRX<10>___clip.visual.projctorch._utils<a>_rebuild_tensor_v2<a>((X<7>___storagectorch<a>HalfStorage<a>X<1>___1X<3>___cpuJ<6>___tQJ____(J<2>___J<3>___t(J<3>___J<1>___t<89>ccollections<a>OrderedDict<a>)RtRuu.",
        "<80><2>ccollections<a>OrderedDict<a>)R.",
      ]
    `);
  });

  it("keeps its bytes, so that a file's checksum stays the same for the same weights", async () => {
    expect(
      createHash("sha256")
        .update(await written())
        .digest("hex"),
    ).toMatchInlineSnapshot(`"a2e2beb64e3c8d1d34dfc87e574b2c3d209fd671b8986ee594d2f5aad6d4b396"`);
    expect(LARGEST_ZIP).toBe(0xffffffff);
  });
});
