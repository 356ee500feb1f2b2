import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { describeError, exitCodeOf } from "../../../src/cli/exitCodes.js";
import { readWeights } from "../../../src/model/weights/readWeights.js";
import { goldenWeights } from "../../support/golden.js";
import {
  float32,
  op,
  pickle,
  safetensorsFile,
  tensorOps,
  torchFile,
  writeIn,
  zipFile,
  type ZipPart,
} from "../../support/weightFiles.js";

const folder = mkdtempSync(join(tmpdir(), "liqe-hostile-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Reads every tensor of the file; expects refusal, exit code 4 and one line that matches. */
async function expectRefused(name: string, bytes: Uint8Array, message: RegExp): Promise<void> {
  const error: unknown = await readAll(writeIn(folder, name, bytes)).catch((thrown: unknown) => thrown);
  expect(exitCodeOf(error), String(error)).toBe(4);
  expect(describeError(error, false)).toMatch(message);
  expect(describeError(error, false)).not.toContain("\n");
}

async function readAll(path: string, options = {}): Promise<Map<string, number[]>> {
  const weights = await readWeights(path, options);
  try {
    const values = new Map<string, number[]>();
    for (const name of weights.names.keys()) values.set(name, [...(await weights.read(name))]);
    return values;
  } finally {
    await weights.close();
  }
}

const torch = (ops: readonly Uint8Array[], storages: Readonly<Record<string, Uint8Array>> = {}) =>
  zipFile(torchFile(pickle(...ops), storages));

/** {"w": <a tensor>} */
const dictOf = (tensor: Uint8Array) => [op.emptyDict, op.string("w"), tensor, op.setItem];
const W = tensorOps("0", 4, [2, 2], [2, 1]);
const STORAGE = float32(1, 2, 3, 4);

describe("a .pt file built by these tests", () => {
  it("is read where it is honest", async () => {
    const path = writeIn(folder, "honest.pt", torch(dictOf(W), { 0: STORAGE }));
    expect(await readAll(path)).toEqual(new Map([["w", [1, 2, 3, 4]]]));
  });

  it("is read where a tensor is a transposed view of part of its storage", async () => {
    const view = tensorOps("0", 7, [3, 2], [1, 3], { offset: 1 });
    const path = writeIn(folder, "view.pt", torch(dictOf(view), { 0: float32(0, 1, 2, 3, 4, 5, 6) }));
    expect(await readAll(path)).toEqual(new Map([["w", [1, 4, 2, 5, 3, 6]]]));
  });
});

describe("a hostile pickle", () => {
  it("that calls os.system is refused by name", async () => {
    const ops = [op.global("os", "system"), op.mark, op.string("touch /tmp/owned"), op.tuple, op.reduce];
    await expectRefused("system.pt", torch(ops), /refused, its pickle names "os.system", which is not allowed/);
  });

  it("that calls posix.system, as os.system is pickled, is refused", async () => {
    const ops = [op.global("posix", "system"), op.mark, op.string("id"), op.tuple, op.reduce];
    await expectRefused("posix.pt", torch(ops), /names "posix.system"/);
  });

  it("that calls builtins.eval is refused", async () => {
    const ops = [op.global("builtins", "eval"), op.mark, op.string("1"), op.tuple, op.reduce];
    await expectRefused("eval.pt", torch(ops), /names "builtins.eval"/);
  });

  it("that names a global with line breaks and control characters in it gets one line", async () => {
    await expectRefused("name.pt", torch([op.global("a\u001b[2J", "b")]), /names "a\\u001b\[2J\.b"/);
  });

  it("that calls a TorchScript class is refused: objects of it are made, never called", async () => {
    const ops = [op.global("__torch__", "M"), op.emptyTuple, op.reduce];
    await expectRefused("calls.pt", torch(ops), /calls __torch__\.M, which is not allowed/);
  });

  it("with an opcode that PyTorch does not write is refused", async () => {
    await expectRefused("opcode.pt", torch([Buffer.from([0x93])]), /has opcode 0x93, which is not allowed/);
  });

  it("that sets items of something else than a dict is refused (CVE-2026-24747)", async () => {
    const ops = [W, op.string("k"), op.int(1), op.setItem];
    await expectRefused("setitem.pt", torch(ops, { 0: STORAGE }), /sets items of something else than a dict/);
  });

  it("that gives a tensor fields is refused", async () => {
    await expectRefused("build.pt", torch([W, op.emptyDict, op.build], { 0: STORAGE }), /gives fields to something/);
  });

  it("that takes from under a mark, ends early or never puts its memo is refused", async () => {
    await expectRefused("mark.pt", torch([op.none, op.mark, op.reduce]), /takes from an empty stack/);
    await expectRefused("early.pt", zipFile(torchFile(op.string("abc").subarray(0, 6))), /ends early/);
    await expectRefused("memo.pt", torch([op.get(7)]), /asks for memo 7/);
  });

  it("of a million empty dicts is refused before it fills the memory", async () => {
    const dicts = Buffer.alloc(1_000_001, op.emptyDict);
    await expectRefused("dicts.pt", torch([dicts]), /has more than 1000000 values/);
  });

  it("with one key twice is refused", async () => {
    const ops = [op.emptyDict, op.mark, op.string("w"), op.none, op.string("w"), op.none, op.setItems];
    await expectRefused("twice.pt", torch(ops), /has the key "w" twice/);
  });

  it("whose modules contain themselves is refused, in bounded time", async () => {
    const module = [op.global("__torch__", "M"), op.put(0), op.emptyTuple, op.newObject, op.put(1)];
    const loop = [...module, op.emptyDict, op.string("again"), op.get(1), op.setItem, op.build];
    await expectRefused("loop.pt", torch(loop), /modules stand in each other without end/);
  });

  it("with an integer where a state dict should be is refused", async () => {
    await expectRefused("number.pt", torch([op.int(3)]), /holds no state dict \(its pickle is no dict\)/);
  });
});

describe("a tensor that lies", () => {
  it("by overrunning its storage is refused", async () => {
    const ops = dictOf(tensorOps("0", 4, [2, 3], [3, 1]));
    await expectRefused("overrun.pt", torch(ops, { 0: STORAGE }), /\[2, 3\] at 0 that overruns its storage of 4/);
  });

  it("by a stride that repeats one element a billion times is refused", async () => {
    const ops = dictOf(tensorOps("0", 4, [1_000_000_000], [0]));
    await expectRefused(
      "stride.pt",
      torch(ops, { 0: STORAGE }),
      /repeats its storage of 4 elements; save it as a copy/,
    );
  });

  it("by a storage larger than its entry is refused", async () => {
    const ops = dictOf(tensorOps("0", 5, [5]));
    await expectRefused("entry.pt", torch(ops, { 0: STORAGE }), /claims a storage of 5 F32, its entry .* has 16 bytes/);
  });

  it("by a negative size, or more axes than there are, is refused", async () => {
    await expectRefused("negative.pt", torch(dictOf(tensorOps("0", 4, [-1], [1]))), /no whole numbers/);
    const deep = tensorOps("0", 4, new Array<number>(9).fill(1), new Array<number>(9).fill(1));
    await expectRefused("axes.pt", torch(dictOf(deep)), /no whole numbers/);
  });

  it("by a storage that is not in the archive is refused", async () => {
    await expectRefused("absent.pt", torch(dictOf(W)), /has no data\/0 in the archive/);
  });
});

describe("a hostile zip archive", () => {
  const parts = torchFile(pickle(...dictOf(W)), { 0: STORAGE });
  const [pkl, data] = parts as [ZipPart, ZipPart]; // two entries, one line above

  it("with a compressed entry is refused before anything is unpacked", async () => {
    await expectRefused("deflated.pt", zipFile([pkl, { ...data, method: 8 }]), /data\/0" is compressed/);
  });

  it("with two entries of one name is refused", async () => {
    await expectRefused("names.pt", zipFile([pkl, data, data]), /data\/0" stands twice/);
  });

  it("with entries over each other is refused", async () => {
    await expectRefused("overlap.pt", zipFile([{ ...pkl, size: pkl.data.length + 8 }, data]), /overlaps what follows/);
  });

  it("with an entry outside the file is refused", async () => {
    await expectRefused("outside.pt", zipFile([pkl, { ...data, offset: 1e6 }]), /lies outside the file/);
  });

  it("with a name that leaves its folder is refused", async () => {
    await expectRefused("dots.pt", zipFile([pkl, { ...data, name: "archive/../../x" }]), /leaves its folder/);
  });

  it("with another name in the entry's own header is refused", async () => {
    await expectRefused("local.pt", zipFile([pkl, { ...data, localName: "archive/data/1" }]), /is called .* otherwise/);
  });

  it("with an encrypted entry is refused", async () => {
    await expectRefused("secret.pt", zipFile([pkl, { ...data, flags: 1 }]), /is encrypted/);
  });

  it("with a flipped byte is refused by its checksum", async () => {
    await expectRefused("crc.pt", zipFile([pkl, { ...data, crc: 1 }]), /does not have its checksum/);
  });

  it("without a pickle is refused", async () => {
    await expectRefused("photos.zip", zipFile([data]), /none of PyTorch's/);
  });

  it("of big-endian numbers is refused", async () => {
    const order = { name: "archive/byteorder", data: Buffer.from("big") };
    await expectRefused("big.pt", zipFile([...parts, order]), /is in "big" byte order/);
  });
});

describe("a file cut short", () => {
  it.each(["weights-openai.pt", "weights-openai-jit.pt", "weights-hf.safetensors"] as const)(
    "is refused wherever %s was cut",
    async (name) => {
      const whole = readFileSync(goldenWeights(name));
      for (const part of [0.001, 0.3, 0.9999]) {
        await expectRefused(
          `cut-${name}`,
          whole.subarray(0, Math.floor(part * whole.length)),
          /cut short|past the|whole/,
        );
      }
    },
  );

  it("to nothing is refused as empty", async () => {
    await expectRefused("empty.pt", Buffer.alloc(0), /is empty/);
  });

  it("or never a weight file at all is refused", async () => {
    await expectRefused("text.pt", Buffer.from("<html>404</html> and so on"), /neither a safetensors file nor a zip/);
    await expectRefused("old.pt", Buffer.from([0x80, 0x02, 0x8a, 0x0a, 0x6c]), /as PyTorch wrote before 1.6/);
  });
});

describe("a hostile safetensors file", () => {
  const tensor = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
    dtype: "F32",
    shape,
    data_offsets: [begin, end],
  });
  const refused = (name: string, header: unknown, bytes: number, message: RegExp) =>
    expectRefused(`${name}.safetensors`, safetensorsFile(header, bytes), message);

  it("with a header of 2^62 bytes is refused without reading it", async () => {
    const file = safetensorsFile({ a: tensor(0, 8) }, 8, 2n ** 62n);
    await expectRefused("huge.safetensors", file, /claims 4611686018427387904 bytes; at most/);
  });

  it("with a header past the file's end is refused", async () => {
    await expectRefused("past.safetensors", safetensorsFile({ a: tensor(0, 8) }, 8, 4000n), /past the file's end/);
  });

  it("with overlapping tensors is refused", async () => {
    await refused("overlap", { a: tensor(0, 8), b: tensor(4, 12) }, 12, /tensor "b" overlaps/);
  });

  it("with ten tensors over the same bytes is refused", async () => {
    const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`w${i}`, tensor(0, 400)]));
    await refused("attack", many, 400, /overlaps/);
  });

  it("with a gap between tensors, or bytes after them, is refused", async () => {
    await refused("gap", { a: tensor(0, 8), b: tensor(12, 16) }, 16, /tensor "b" leaves a gap/);
    await refused("rest", { a: tensor(0, 8) }, 12, /take 8 bytes and the file holds 12/);
  });

  it("with one key twice is refused, escapes and depth notwithstanding", async () => {
    const [a, b] = [JSON.stringify(tensor(0, 8)), JSON.stringify(tensor(0, 8))];
    await refused("twice", `{"a":${a},"a":${b}}`, 8, /has the key "a" twice/);
    await refused("escaped", `{"a":${a},"\\u0061":${b}}`, 8, /has the key "a" twice/);
    await refused("inner", `{"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}}`, 8, /"dtype" twice/);
  });

  it("with a shape that does not fill its bytes is refused", async () => {
    await refused("shape", { a: tensor(0, 8, [3]) }, 8, /of F32 \[3\] needs 12 bytes, its data_offsets span 8/);
  });

  it("with a shape whose size overflows is refused", async () => {
    await refused("overflow", { a: tensor(0, 8, [2 ** 53 - 1, 2 ** 53 - 1]) }, 8, /needs .* its data_offsets span 8/);
  });

  it("with negative or fractional numbers is refused", async () => {
    await refused("negative", { a: tensor(0, 8, [-2]) }, 8, /no list of up to 8 whole numbers/);
    await refused("fraction", { a: { ...tensor(0, 8), data_offsets: [0, 8.5] } }, 8, /no two whole numbers/);
  });

  it("with an unknown dtype, metadata that are no text, no JSON or no UTF-8 is refused", async () => {
    await refused("dtype", { a: { ...tensor(0, 8), dtype: "F99" } }, 8, /unknown dtype "F99"/);
    await refused("meta", { __metadata__: { n: 1 }, a: tensor(0, 8) }, 8, /"n" that is no text/);
    await refused("json", `{"a":`, 8, /no JSON in UTF-8/);
    const bytes = safetensorsFile({ "?": tensor(0, 8) }, 8);
    bytes[bytes.indexOf("?")] = 0xff;
    await expectRefused("utf8.safetensors", bytes, /no JSON in UTF-8/);
  });

  it("with whole numbers for weights is refused when they are read", async () => {
    await refused("ints", { a: { dtype: "I32", shape: [2], data_offsets: [0, 8] } }, 8, /is I32; weights are read as/);
  });
});

describe("weights that are not finite", () => {
  const file = () => writeIn(folder, "nan.pt", torch(dictOf(W), { 0: float32(1, NaN, Infinity, 4) }));

  it("are refused, with their count and the first place", async () => {
    await expectRefused("nan.pt", readFileSync(file()), /w: 2 of 4 values are not finite, the first NaN at 1/);
  });

  it("are read when the caller asks for them", async () => {
    expect(await readAll(file(), { allowNonFinite: true })).toEqual(new Map([["w", [1, NaN, Infinity, 4]]]));
  });
});
