import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readWeights } from "../../../src/model/weights/readWeights.js";
import { readSafetensors, streamSafetensors, writeSafetensors } from "../../../src/model/weights/safetensors.js";
import { safetensorsFile, writeIn } from "../../support/weightFiles.js";

const folder = mkdtempSync(join(tmpdir(), "liqe-safetensors-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const ARRAYS = new Map([
  ["b", { shape: [2, 2], values: Float32Array.of(1, -0, 1e-40, 3.5) }],
  ["a", { shape: [], values: Float32Array.of(4.6) }],
  ["none", { shape: [0, 3], values: new Float32Array() }],
]);

async function write(name: string, arrays = ARRAYS, metadata = {}): Promise<string> {
  const path = join(folder, name);
  const handle = await open(path, "w");
  try {
    await writeSafetensors(handle, arrays, metadata);
  } finally {
    await handle.close();
  }
  return path;
}

describe("writeSafetensors", () => {
  it("writes what readSafetensors reads back, bit for bit, scalars and empty tensors too", async () => {
    const read = await readSafetensors(await write("all.safetensors"));
    expect([...read.keys()].sort()).toEqual(["a", "b", "none"]);
    expect(Object.is(read.get("b")?.values[1], -0)).toBe(true);
    for (const [name, array] of ARRAYS) expect(read.get(name)).toEqual(array);
  });

  it("writes names in order and data from a multiple of 8, as the format asks", async () => {
    const file = readFileSync(await write("order.safetensors", ARRAYS, { format: "pt" }));
    const length = Number(file.readBigUInt64LE());
    const header = file.subarray(8, 8 + length).toString();
    expect(length % 8).toBe(0);
    expect(header).toMatch(/^\{"__metadata__":\{"format":"pt"\},"a":.*"b":.*"none":.*\} *$/);
    expect(file.readFloatLE(8 + length)).toBe(Math.fround(4.6));
  });

  it("writes the same bytes whatever the order it is given", async () => {
    const turned = new Map([...ARRAYS].reverse());
    const files = [await write("one.safetensors"), await write("other.safetensors", turned)];
    const [one, other] = files.map((file) => readFileSync(file));
    expect(one?.equals(other ?? Buffer.alloc(0))).toBe(true);
  });

  it("writes part of a larger buffer where the values are a view", async () => {
    const values = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    const read = await readSafetensors(await write("view.safetensors", new Map([["v", { shape: [2], values }]])));
    expect([...(read.get("v")?.values ?? [])]).toEqual([2, 3]);
  });
});

describe("streamSafetensors", () => {
  it("asks for one tensor at a time, in the file's order", async () => {
    const asked: string[] = [];
    const handle = await open(join(folder, "stream.safetensors"), "w");
    const values = (name: string) => {
      asked.push(name);
      return Promise.resolve(Float32Array.of(asked.length));
    };
    const shapes = new Map([
      ["z", [1]],
      ["m", []],
      ["a", [1, 1]],
    ]);
    await streamSafetensors(handle, { shapes, values });
    await handle.close();
    expect(asked).toEqual(["a", "m", "z"]);
    expect((await readSafetensors(join(folder, "stream.safetensors"))).get("z")?.values[0]).toBe(3);
  });

  it("throws when values do not fill their shape", async () => {
    const handle = await open(join(folder, "short.safetensors"), "w");
    const values = () => Promise.resolve(new Float32Array(2));
    const written = streamSafetensors(handle, { shapes: new Map([["w", [3]]]), values });
    await expect(written).rejects.toThrow("internal: w does not fill its shape");
    await handle.close();
  });
});

describe("a header that is written", () => {
  /** A file's header and data, as text and as numbers of two bytes. */
  async function writtenAs(stream: Omit<Parameters<typeof streamSafetensors>[1], "values">, values: readonly number[]) {
    const path = join(folder, "as.safetensors");
    const handle = await open(path, "w");
    await streamSafetensors(handle, { ...stream, values: () => Promise.resolve(Float32Array.from(values)) });
    await handle.close();
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE());
    const data = bytes.subarray(8 + length);
    return [
      bytes.subarray(8, 8 + length).toString(),
      Array.from({ length: data.length / 2 }, (_, i) => data.readUInt16LE(2 * i)),
    ] as const;
  }

  it("names type, shape and place of each tensor, by their code units' order", async () => {
    const shapes = new Map([
      ["b", [2]],
      ["é", [1, 2]],
      ["a.10", [2]],
      ["a.9", [2]],
    ]);
    const dtypeOf = (name: string, shape: readonly number[]) => (shape.length === 2 || name === "b" ? "F16" : "F32");
    const [header, data] = await writtenAs({ shapes, dtypeOf, metadata: { by: "us" } }, [1, -2]);
    expect(header.trimEnd()).toBe(
      `{"__metadata__":{"by":"us"},"a.10":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},` +
        `"a.9":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"b":{"dtype":"F16","shape":[2],"data_offsets":[16,20]},` +
        `"é":{"dtype":"F16","shape":[1,2],"data_offsets":[20,24]}}`,
    );
    const [one, two] = [0x3f80, 0xc000]; // the upper halves of float32
    expect(data).toEqual([0, one, 0, two, 0, one, 0, two, 0x3c00, 0xc000, 0x3c00, 0xc000]);
  });

  it("has no metadata where there are none, and no tensor of their name", async () => {
    const [header] = await writtenAs({ shapes: new Map([["w", [1]]]) }, [1]);
    expect(header).toBe('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ');
    await expect(writtenAs({ shapes: new Map([["__metadata__", [1]]]) }, [1])).rejects.toThrow(
      "writeSafetensors: a tensor may not be called __metadata__",
    );
  });
});

describe("readSafetensors", () => {
  it("reads float16 and bfloat16 exactly: normal, subnormal, negative zero", async () => {
    const header = {
      half: { dtype: "F16", shape: [4], data_offsets: [0, 8] },
      brain: { dtype: "BF16", shape: [3], data_offsets: [8, 14] },
    };
    const bytes = safetensorsFile(header, 14);
    // 1.5, the smallest subnormal, -0, the largest; then 1, -2, pi cut to 8 bits
    [0x3e00, 0x0001, 0x8000, 0x7bff, 0x3f80, 0xc000, 0x4049].forEach((bits, i) =>
      bytes.writeUInt16LE(bits, bytes.length - 14 + 2 * i),
    );
    const read = await readSafetensors(writeIn(folder, "half.safetensors", bytes));
    expect([...(read.get("half")?.values ?? [])]).toEqual([1.5, 2 ** -24, -0, 65504]);
    expect([...(read.get("brain")?.values ?? [])]).toEqual([1, -2, 3.140625]);
  });

  it("takes a header that is padded with spaces, and keeps a name like __proto__ an ordinary one", async () => {
    const json = `{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}   `;
    const weights = await readWeights(writeIn(folder, "proto.safetensors", safetensorsFile(json, 4)));
    expect([...weights.names.keys()]).toEqual(["__proto__"]);
    await weights.close();
  });
});
