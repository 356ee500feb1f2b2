import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { unpickleData } from "../../../src/model/weights/torch/unpickle.js";
import { readWeights } from "../../../src/model/weights/readWeights.js";
import { readSafetensors } from "../../../src/model/weights/safetensors.js";
import { temporaryFolder } from "../../support/runs.js";
import {
  float32,
  op,
  pickle,
  safetensorsFile,
  tensorOps,
  torchFile,
  writeIn,
  zipFile,
} from "../../support/weightFiles.js";

// Long, as whole expected texts stand inline, each beside what makes it.

/** The whole message of a file's refusal, without its folder; the names and values of one that is read. */
async function told(name: string, bytes: Uint8Array): Promise<string> {
  const folder = temporaryFolder();
  const path = writeIn(folder, name, bytes);
  const found: string[] = [];
  try {
    const weights = await readWeights(path);
    try {
      for (const [key, { dtype, shape }] of weights.names)
        found.push(`${key} ${dtype} [${shape.join()}] ${[...(await weights.read(key))].join(" ")}`);
    } finally {
      await weights.close();
    }
    const around = ["", ...weights.wrappers].join(" in ");
    return `${name} is read${around}: ${weights.format}, ${weights.naming} ${found.join("; ")}`;
  } catch (error) {
    return String(error).replaceAll(`${folder}/`, "");
  }
}

const lines = async (all: readonly Promise<string>[]) => `\n${(await Promise.all(all)).join("\n")}\n`;

/** Message of a pickle in an archive with one storage of four numbers. */
const torch = (...ops: readonly Uint8Array[]) => told("w.pt", zipFile(torchFile(pickle(...ops), { 0: float32(1, 2, 3, 4) }))); // prettier-ignore
const dict = (...entries: readonly Uint8Array[]) => [op.emptyDict, op.mark, ...entries, op.setItems];
const named = (tensor: Uint8Array) => torch(...dict(op.string("w"), tensor));
const code = (...bytes: readonly number[]) => Buffer.from(bytes);
const W = tensorOps("0", 4, [2, 2], [2, 1]);
const LIST = op.emptyList;
const call = (module: string, name: string, ...args: readonly Uint8Array[]) =>
  Buffer.concat([op.global(module, name), op.mark, ...args, op.tuple, op.reduce]);

describe("a pickle's refusal", () => {
  it("says what is wrong, and at which byte", async () => {
    const storage = (...parts: readonly Uint8Array[]) => torch(op.mark, ...parts, op.tuple, op.persistentId);
    const float = op.global("torch", "FloatStorage");
    const rebuilt = (...args: readonly Uint8Array[]) => torch(call("torch._utils", "_rebuild_tensor_v2", ...args));
    const id = [op.mark, op.string("storage"), float, op.string("0"), op.string("cpu"), op.int(4), op.tuple, op.persistentId]; // prettier-ignore
    const two = (size: number) => Buffer.concat([op.mark, op.int(size), op.tuple]);
    const module = (...fields: readonly Uint8Array[]) =>
      torch(op.global("__torch__", "M"), op.emptyTuple, op.newObject, ...fields);
    expect(
      await lines([
        told("w.pt", zipFile(torchFile(Buffer.from([0x80, 3, 0x2e])))),
        told("w.pt", zipFile(torchFile(Buffer.from([0x80, 1, 0x2e])))),
        torch(),
        torch(code(0x01)),
        torch(op.tuple),
        torch(op.none, op.setItem),
        torch(op.emptyDict, op.mark, op.string("w"), op.setItems),
        torch(op.emptyDict, op.mark, op.string("k".repeat(90)), op.none, op.string("k".repeat(90)), op.none, op.setItems), // prettier-ignore
        torch(op.emptyDict, op.mark, op.int(1), op.none, op.int(1), op.none, op.setItems),
        torch(op.emptyDict, op.none, code(0x61)),
        torch(op.emptyList, op.none, op.none, op.setItem),
        torch(op.int(1), op.emptyDict, op.build),
        module(op.int(1), op.build),
        module(op.emptyDict, op.build, op.emptyDict, op.build),
        torch(op.global("collections", "OrderedDict"), op.emptyTuple, op.newObject),
        torch(op.global("__torch__", "M"), op.mark, op.int(1), op.tuple, op.newObject),
        torch(op.global("__torch__", "M"), op.int(1), op.newObject),
        torch(op.int(1), op.emptyTuple, op.reduce),
        torch(op.global("torch", "Size"), op.int(1), op.reduce),
        torch(call("torch", "float32")),
        torch(op.global("torch", "load")),
        torch(op.global("m".repeat(79), "system")),
        torch(call("collections", "OrderedDict", op.int(1))),
        torch(call("torch", "Size", op.int(1))),
        torch(call("torch._utils", "_rebuild_parameter", op.int(1))),
        torch(call("torch._utils", "_rebuild_parameter_with_state", op.int(1))),
        torch(call("torch._tensor", "_rebuild_from_type_v2", op.int(1))),
        storage(op.string("storages"), float, op.string("0"), op.string("cpu"), op.int(4)),
        storage(op.string("storage"), op.global("torch", "float32"), op.string("0"), op.string("cpu"), op.int(4)),
        storage(op.string("storage"), float, op.int(0), op.string("cpu"), op.int(4)),
        storage(op.string("storage"), float, op.string("0"), op.string("cpu"), op.int(-4)),
        torch(op.int(1), op.persistentId),
        rebuilt(op.int(1), op.int(0), two(4), two(1)),
        rebuilt(...id, op.int(-1), two(4), two(1)),
        rebuilt(...id, op.int(0), two(4), op.emptyTuple),
        rebuilt(...id, op.int(0), two(4), op.int(1)),
        named(tensorOps("0", 4, [5])),
        named(tensorOps("0", 4, [4], [1], { offset: 1 })),
        named(tensorOps("0", 4, [5], [0])),
        named(tensorOps("0", 4, [4], [1], { metadata: { layout: op.true } })),
        named(tensorOps("0", 4, [4], [1], { metadata: { neg: op.int(1) } })),
        named(tensorOps("0", 4, [4], [1], { type: "QInt8Storage" })),
        named(tensorOps("0", 4, [4], [1], { type: "LongStorage" })),
        named(tensorOps("../0", 4, [4])),
      ]),
    ).toMatchInlineSnapshot(`
      "
      CheckpointError: w.pt: refused, its pickle is of protocol 3, not 2 (at byte 2)
      CheckpointError: w.pt: refused, its pickle is of protocol 1, not 2 (at byte 2)
      CheckpointError: w.pt: refused, its pickle takes from an empty stack (at byte 3)
      CheckpointError: w.pt: refused, its pickle has opcode 0x01, which is not allowed (at byte 3)
      CheckpointError: w.pt: refused, its pickle closes a mark that it never set (at byte 3)
      CheckpointError: w.pt: refused, its pickle takes from an empty stack (at byte 4)
      CheckpointError: w.pt: refused, its pickle has a key without a value (at byte 11)
      CheckpointError: w.pt: refused, its pickle has the key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" twice (at byte 197)
      CheckpointError: w.pt: refused, its pickle has the key number twice (at byte 17)
      CheckpointError: w.pt: refused, its pickle appends to something else than a list (at byte 5)
      CheckpointError: w.pt: refused, its pickle sets items of something else than a dict (at byte 6)
      CheckpointError: w.pt: refused, its pickle gives fields to something that can have none (at byte 9)
      CheckpointError: w.pt: refused, its pickle gives an object odd fields (at byte 23)
      CheckpointError: w.pt: refused, its pickle gives an object odd fields (at byte 21)
      CheckpointError: w.pt: refused, its pickle makes an object of no TorchScript class (at byte 29)
      CheckpointError: w.pt: refused, its pickle makes an object of no TorchScript class (at byte 23)
      CheckpointError: w.pt: refused, its pickle makes an object of no TorchScript class (at byte 21)
      CheckpointError: w.pt: refused, its pickle calls no global (at byte 9)
      CheckpointError: w.pt: refused, its pickle calls no global (at byte 20)
      CheckpointError: w.pt: refused, its pickle calls torch.float32, which is not allowed (at byte 20)
      CheckpointError: w.pt: refused, its pickle names "torch.load", which is not allowed (at byte 14)
      CheckpointError: w.pt: refused, its pickle names "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.", which is not allowed (at byte 90)
      CheckpointError: w.pt: refused, its pickle makes an OrderedDict out of something, not empty (at byte 35)
      CheckpointError: w.pt: refused, its pickle makes a size out of something else (at byte 22)
      CheckpointError: w.pt: refused, its pickle makes a parameter out of something else (at byte 43)
      CheckpointError: w.pt: refused, its pickle makes a parameter out of something else (at byte 54)
      CheckpointError: w.pt: refused, its pickle rebuilds an object that is no plain tensor (at byte 47)
      CheckpointError: w.pt: refused, its pickle has a persistent id that is no storage (at byte 57)
      CheckpointError: w.pt: refused, its pickle has a persistent id that is no storage (at byte 51)
      CheckpointError: w.pt: refused, its pickle has a persistent id that is no storage (at byte 55)
      CheckpointError: w.pt: refused, its pickle has a persistent id that is no storage (at byte 56)
      CheckpointError: w.pt: refused, its pickle has a persistent id that is no storage (at byte 8)
      CheckpointError: w.pt: refused, its pickle rebuilds a tensor from something else than a storage, an offset, sizes and strides (at byte 62)
      CheckpointError: w.pt: refused, its pickle rebuilds a tensor from something else than a storage, an offset, sizes and strides (at byte 111)
      CheckpointError: w.pt: refused, its pickle rebuilds a tensor from something else than a storage, an offset, sizes and strides (at byte 105)
      CheckpointError: w.pt: refused, its pickle has a tensor whose sizes or strides are no whole numbers (at byte 109)
      CheckpointError: w.pt: refused, its pickle has a tensor of [5] at 0 that overruns its storage of 4 elements (at byte 147)
      CheckpointError: w.pt: refused, its pickle has a tensor of [4] at 1 that overruns its storage of 4 elements (at byte 147)
      CheckpointError: w.pt: refused, its pickle has a tensor of [5] at 0 that repeats its storage of 4 elements; save it as a copy (tensor.clone()) (at byte 147)
      CheckpointError: w.pt: refused, its pickle has a tensor with the metadata "layout", which is not read (at byte 161)
      CheckpointError: w.pt: refused, its pickle has a tensor with the metadata "neg", which is not read (at byte 162)
      CheckpointError: w.pt: tensor "w": is of QInt8Storage, which is not read
      CheckpointError: w.pt: tensor "w": claims a storage of 4 I64, its entry in the archive has 16 bytes
      CheckpointError: w.pt: tensor "w": has no data/../0 in the archive
      "
    `);
  });

  it("says what a file holds in place of a state dict", async () => {
    expect(
      await lines([
        torch(LIST),
        torch(op.emptyDict),
        torch(...dict(...["a", "b", "c", "d", "e", "f"].flatMap((key) => [op.string(key), op.int(1)]))),
        torch(...dict(op.int(1), W)),
        torch(...dict(op.string("model"), Buffer.concat(dict(op.string("epoch"), op.int(1))))),
        torch(call("torch", "device", op.string("cpu"))),
        torch(...dict(op.string("model"), call("torch", "device", op.string("cpu")))),
      ]),
    ).toMatchInlineSnapshot(`
      "
      CheckpointError: w.pt: holds no state dict (its pickle is no dict); save model.state_dict()
      CheckpointError: w.pt: holds no state dict (an empty dict); save model.state_dict()
      CheckpointError: w.pt: holds no state dict (a dict of a, b, c, d, e); save model.state_dict()
      CheckpointError: w.pt: holds no state dict (a dict of number); save model.state_dict()
      CheckpointError: w.pt: holds no state dict (a dict of epoch); save model.state_dict()
      CheckpointError: w.pt: holds no state dict (an object of torch.device); save model.state_dict()
      CheckpointError: w.pt: holds no state dict (a dict of model); save model.state_dict()
      "
    `);
  });

  it("is none for what PyTorch's own checkpoints hold", async () => {
    const list = Buffer.concat([LIST, op.mark, op.int(1), W, code(0x65), op.int(2), code(0x61)]);
    const numbers = [code(0x4b, 200), code(0x4d, 1, 2), code(0x8a, 1, 0xff), code(0x47, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0)];
    const tuples = [code(0x4e, 0x85), code(0x4e, 0x4e, 0x86), code(0x4e, 0x4e, 0x4e, 0x87)];
    const short = [code(0x55, 1, 0x61), Buffer.concat([op.int(3), code(0x72, 1, 0, 0, 0), code(0x6a, 1, 0, 0, 0), code(0x86)])]; // prettier-ignore
    const types = ["float16", "float32", "float64", "bfloat16", "int64", "int32", "uint8", "bool"];
    const globals = [
      ...types.map((type) => op.global("torch", type)),
      ...["dict", "list", "int", "float"].flatMap((type) => [
        op.global("__builtin__", type),
        op.global("builtins", type),
      ]),
      ...["torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Buffer"].map((name) =>
        op.global(name.slice(0, name.lastIndexOf(".")), name.slice(name.lastIndexOf(".") + 1)),
      ),
    ];
    const calls = [
      ...[
        ["collections", "Counter"],
        ["collections", "defaultdict"],
        ["torch", "device"],
        ["torch", "Size"],
      ],
      ...["intlist", "doublelist", "boollist", "tensorlist"].map((kind) => ["torch.jit._pickle", `build_${kind}`]),
      ...[
        ["torch.jit._pickle", "restore_type_tag"],
        ["numpy.core.multiarray", "scalar"],
      ],
      ...[
        ["numpy._core.multiarray", "scalar"],
        ["numpy", "dtype"],
        ["_codecs", "encode"],
      ],
    ].map(([module = "", name = ""]) => call(module, name, op.emptyTuple));
    const beside = [list, ...numbers, ...tuples, ...short, ...globals, ...calls];
    const items = beside.flatMap((value, i) => [op.string(`k${i}`), value]);
    expect(await torch(...dict(op.string("w"), W, ...items))).toBe(
      "w.pt is read: torch.save, OpenAI w F32 [2,2] 1 2 3 4",
    );
  });
});

describe("unpickleData", () => {
  /** Values as JSON has them; lists, tuples and dicts by their items. */
  const plain = (bytes: Uint8Array) =>
    JSON.stringify(unpickleData(bytes), (_, value: unknown) => {
      if (typeof value === "bigint") return `${value}n`;
      return value instanceof Map ? [...(value as Map<unknown, unknown>)] : value;
    });

  it("reads each kind of number, text and collection", () => {
    const frame = code(0x95, 0, 0, 0, 0, 0, 0, 0, 0);
    const values = [
      ...[op.none, op.true, op.false, op.int(-2), code(0x4b, 200), code(0x4d, 1, 2)],
      ...[code(0x8a, 0), code(0x8a, 1, 0xff), code(0x8a, 2, 0, 0x80), code(0x8a, 9, 1, 0, 0, 0, 0, 0, 0, 0, 1)],
      ...[code(0x47, 0xbf, 0xf8, 0, 0, 0, 0, 0, 0), op.string("é"), code(0x55, 1, 0x61), code(0x8c, 1, 0x62)],
      ...[op.emptyTuple, code(0x4e, 0x85), code(0x4b, 1, 0x4b, 2, 0x86), code(0x4b, 1, 0x4b, 2, 0x4b, 3, 0x87)],
      ...[code(0x4b, 7, 0x94, 0x68, 0, 0x86), code(0x4b, 8, 0x71, 5, 0x68, 5, 0x86)],
      Buffer.concat([op.emptyDict, op.string("a"), op.int(1), op.setItem]),
    ];
    const list = Buffer.concat([code(0x80, 4), frame, LIST, op.mark, ...values, code(0x65), code(0x2e)]);
    expect(plain(list)).toMatchInlineSnapshot(
      `"{"items":[null,true,false,-2,200,513,0,-1,-32768,"18446744073709551617n",-1.5,"é","a","b",{"items":[]},{"items":[null]},{"items":[1,2]},{"items":[1,2,3]},{"items":[7,7]},{"items":[8,8]},{"items":[["a",1]]}]}"`,
    );
  });

  it.each([2, 3, 4, 5])("reads protocol %i", (version) => {
    expect(plain(code(0x80, version, 0x4b, 1, 0x2e))).toBe("1");
  });

  it("refuses other protocols, and everything that names or calls something", () => {
    const refusal = (...bytes: readonly Uint8Array[]) => {
      try {
        return plain(Buffer.concat(bytes));
      } catch (error) {
        return String(error);
      }
    };
    const all = [
      refusal(code(0x80, 1, 0x4e, 0x2e)),
      refusal(code(0x80, 6, 0x4e, 0x2e)),
      refusal(op.global("collections", "OrderedDict")),
      refusal(op.none, op.none, op.reduce),
      refusal(op.none, op.none, op.newObject),
      refusal(op.none, op.persistentId),
      refusal(op.emptyDict, op.none, op.build),
      refusal(code(0x95, 0, 0)),
      refusal(op.none),
    ];
    expect(`\n${all.join("\n")}\n`).toMatchInlineSnapshot(`
      "
      BadPickle: is of protocol 1, not 2 to 5
      BadPickle: is of protocol 6, not 2 to 5
      BadPickle: has opcode 0x63, which is not allowed
      BadPickle: has opcode 0x52, which is not allowed
      BadPickle: has opcode 0x81, which is not allowed
      BadPickle: has opcode 0x51, which is not allowed
      BadPickle: has opcode 0x62, which is not allowed
      BadPickle: ends early
      BadPickle: ends early
      "
    `);
  });
});

describe("an archive's refusal", () => {
  const [pkl, data] = torchFile(pickle(...dict(op.string("w"), W)), { 0: float32(1, 2, 3, 4) });
  if (pkl === undefined || data === undefined) throw new Error("two entries");
  const whole = zipFile([pkl, data]);
  const archive = (bytes: Uint8Array) => told("w.pt", bytes);
  /** The archive with other bytes at a place from its end. */
  const changed = (fromEnd: number, ...bytes: readonly number[]) => {
    const other = Buffer.from(whole);
    other.set(bytes, other.length - fromEnd);
    return archive(other);
  };

  it("says what is wrong with the zip archive", async () => {
    expect(
      await lines([
        archive(zipFile([pkl, { ...data, method: 8 }])),
        archive(zipFile([pkl, { ...data, flags: 1 }])),
        archive(zipFile([pkl, { ...data, flags: 2 }])),
        archive(zipFile([pkl, { ...data, crc: 1 }])),
        archive(zipFile([pkl, data, data])),
        archive(zipFile([{ ...pkl, size: pkl.data.length + 1 }, data])),
        archive(zipFile([pkl, { ...data, offset: 1e6 }])),
        archive(zipFile([pkl, { ...data, offset: 1 }])),
        archive(zipFile([pkl, { ...data, size: 1e6 }])),
        archive(zipFile([pkl, { ...data, localName: "archive/data/1" }])),
        archive(zipFile([pkl, { ...data, name: "/archive/data/0" }])),
        archive(zipFile([pkl, { ...data, name: "archive\\data" }])),
        archive(zipFile([pkl, { ...data, name: "archive/../0" }])),
        archive(zipFile([pkl, { ...data, name: `archive/${"d".repeat(80)}\\` }])),
        archive(zipFile([data])),
        archive(zipFile([pkl, data, { ...pkl, name: "other/data.pkl" }])),
        archive(zipFile([{ ...pkl, name: "data.pkl" }, data])),
        archive(zipFile([pkl, { ...data, data: float32(1, 2, 3) }])),
        archive(zipFile([pkl])),
        archive(zipFile([pkl, data, { name: "archive/byteorder", data: Buffer.from("big") }])),
        archive(zipFile([pkl, data, { name: "archive/byteorder", data: Buffer.from("little\n\n\n") }])),
        archive(whole.subarray(0, -1)),
        changed(22 - 10, 3),
        changed(22 - 12, 1),
        changed(22 - 16, 1),
        changed(22 - 10, 0xff, 0xff),
      ]),
    ).toMatchInlineSnapshot(`
      "
      CheckpointError: w.pt: zip entry "archive/data/0" is compressed, which PyTorch never does; save the file again
      CheckpointError: w.pt: zip entry "archive/data/0" is encrypted
      w.pt is read: torch.save, OpenAI w F32 [2,2] 1 2 3 4
      CheckpointError: w.pt: zip entry "archive/data/0" does not have its checksum; the file is damaged
      CheckpointError: w.pt: zip entry "archive/data/0" stands twice
      CheckpointError: w.pt: zip entry "archive/data.pkl" overlaps what follows it
      CheckpointError: w.pt: zip entry "archive/data/0" lies outside the file; is it whole?
      CheckpointError: w.pt: zip entry "archive/data.pkl" overlaps what follows it
      CheckpointError: w.pt: zip entry "archive/data/0" lies outside the file; is it whole?
      CheckpointError: w.pt: zip entry "archive/data/0" is called or packed otherwise in its own header
      CheckpointError: w.pt: zip entry "/archive/data/0" leaves its folder
      CheckpointError: w.pt: zip entry "archive\\\\data" leaves its folder
      CheckpointError: w.pt: zip entry "archive/../0" leaves its folder
      CheckpointError: w.pt: zip entry "archive/dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd..." leaves its folder
      CheckpointError: w.pt: is a zip archive, but none of PyTorch's: it has no data.pkl in its one folder
      CheckpointError: w.pt: is a zip archive, but none of PyTorch's: it has no data.pkl in its one folder
      CheckpointError: w.pt: is a zip archive, but none of PyTorch's: it has no data.pkl in its one folder
      CheckpointError: w.pt: tensor "w": claims a storage of 4 F32, its entry in the archive has 12 bytes
      CheckpointError: w.pt: tensor "w": has no data/0 in the archive
      CheckpointError: w.pt: is in "big" byte order; only "little" is read
      CheckpointError: w.pt: is in "something else" byte order; only "little" is read
      CheckpointError: w.pt: is a zip archive without its directory, cut short; download or save it again
      CheckpointError: w.pt: its zip directory has 2 entries and claims 3
      CheckpointError: w.pt: its zip directory does not end where it should
      CheckpointError: w.pt: its zip directory does not end where it should
      CheckpointError: w.pt: its Zip64 end record is missing; is the file whole?
      "
    `);
  });

  /** The archive with a Zip64 end record, as PyTorch writes it, and a locator of it; `end` changes the older record. */
  const wide = (
    record: { count?: number; length?: number; offset?: number; at?: number } = {},
    end?: (at: Buffer) => void,
  ) => {
    const [body, tail] = [whole.subarray(0, -22), Buffer.from(whole.subarray(-22))];
    const found = {
      count: 2,
      length: tail.readUInt32LE(12),
      offset: tail.readUInt32LE(16),
      at: body.length,
      ...record,
    };
    const end64 = Buffer.alloc(56);
    end64.writeUInt32LE(0x06064b50);
    [found.count, found.length, found.offset].forEach((value, i) => end64.writeBigUInt64LE(BigInt(value), 32 + 8 * i));
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50);
    locator.writeBigUInt64LE(BigInt(found.at), 8);
    end?.(tail);
    return archive(Buffer.concat([body, end64, locator, tail]));
  };

  it("says what is wrong with a Zip64 end record, and is none where it is right", async () => {
    expect(
      await lines([
        wide(),
        wide({}, (end) => end.writeUInt16LE(0xffff, 10)),
        wide({}, (end) => end.writeUInt32LE(0xffffffff, 12)),
        wide({}, (end) => end.writeUInt32LE(0xffffffff, 16)),
        wide({ count: 3 }),
        wide({ length: 1 }),
        wide({ offset: 1 }),
        wide({ offset: 1 }, (end) => end.writeUInt32LE(0xffffffff, 16)),
        wide({ count: 3 }, (end) => end.writeUInt16LE(0xffff, 10)),
        wide({ at: whole.length - 23 }),
        wide({ at: whole.length - 21 }),
        wide({ at: 2 ** 40 }),
      ]),
    ).toMatchInlineSnapshot(`
      "
      w.pt is read: torch.save, OpenAI w F32 [2,2] 1 2 3 4
      w.pt is read: torch.save, OpenAI w F32 [2,2] 1 2 3 4
      w.pt is read: torch.save, OpenAI w F32 [2,2] 1 2 3 4
      w.pt is read: torch.save, OpenAI w F32 [2,2] 1 2 3 4
      CheckpointError: w.pt: its two zip end records contradict each other
      CheckpointError: w.pt: its two zip end records contradict each other
      CheckpointError: w.pt: its two zip end records contradict each other
      CheckpointError: w.pt: its zip directory does not end where it should
      CheckpointError: w.pt: its zip directory has 2 entries and claims 3
      CheckpointError: w.pt: its Zip64 end record is not where it should be
      CheckpointError: w.pt: its Zip64 end record is not where it should be
      CheckpointError: w.pt: its Zip64 end record is not where it should be
      "
    `);
  });

  it("is none for sizes and positions in a Zip64 field, and says where they are missing", async () => {
    /** The first entry of the directory with its sizes in a field of its own, behind another one. */
    const fielded = (...values: readonly number[]) => {
      const end = whole.length - 22;
      const start = whole.readUInt32LE(end + 16);
      const nameEnd = start + 46 + whole.readUInt16LE(start + 28);
      const record = Buffer.from(whole.subarray(start, nameEnd));
      const field = Buffer.alloc(4 + 8 * values.length);
      field.writeUInt16LE(1, 0);
      field.writeUInt16LE(8 * values.length, 2);
      values.forEach((value, i) => field.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
      const extra = Buffer.concat([code(0x55, 0x54, 1, 0, 9), field]);
      record.writeUInt16LE(extra.length, 30);
      for (const at of [20, 24, 42]) record.writeUInt32LE(0xffffffff, at);
      const tail = Buffer.from(whole.subarray(end));
      tail.writeUInt32LE(tail.readUInt32LE(12) + extra.length, 12);
      return archive(Buffer.concat([whole.subarray(0, start), record, extra, whole.subarray(nameEnd, end), tail]));
    };
    const size = pkl.data.length;
    expect(
      await lines([
        fielded(size, size, 0),
        fielded(size, size, 0, 0),
        fielded(size, size),
        fielded(),
        fielded(size, size + 1, 0),
        fielded(size, size, 1),
      ]),
    ).toMatchInlineSnapshot(`
      "
      w.pt is read: torch.save, OpenAI w F32 [2,2] 1 2 3 4
      w.pt is read: torch.save, OpenAI w F32 [2,2] 1 2 3 4
      CheckpointError: w.pt: its zip directory is damaged; download or save the file again
      CheckpointError: w.pt: its zip directory is damaged; download or save the file again
      CheckpointError: w.pt: zip entry "archive/data.pkl" has two sizes
      CheckpointError: w.pt: zip entry "archive/data.pkl" does not begin where the directory says; is the file whole?
      "
    `);
  });

  it("is none for a comment, for code that is compressed, or for the right byte order", async () => {
    const comment = Buffer.concat([whole.subarray(0, -2), code(3, 0), Buffer.from("abc")]);
    expect(
      await lines([
        archive(comment),
        archive(zipFile([pkl, data, { name: "archive/code/__torch__.py", data: float32(1), method: 8 }])),
        archive(zipFile([pkl, data, { name: "archive/byteorder", data: Buffer.from("little") }])),
        archive(zipFile([pkl, data, { name: "archive/constants.pkl", data: Buffer.alloc(0) }])),
      ]),
    ).toMatchInlineSnapshot(`
      "
      w.pt is read: torch.save, OpenAI w F32 [2,2] 1 2 3 4
      w.pt is read: torch.save, OpenAI w F32 [2,2] 1 2 3 4
      w.pt is read: torch.save, OpenAI w F32 [2,2] 1 2 3 4
      w.pt is read: TorchScript, OpenAI w F32 [2,2] 1 2 3 4
      "
    `);
  });
});

describe("a safetensors file's refusal", () => {
  const tensor = (begin: number, end: number, shape = [(end - begin) / 4]) => ({ dtype: "F32", shape, data_offsets: [begin, end] }); // prettier-ignore
  const file = (header: unknown, bytes: number, length?: bigint) =>
    told("w.safetensors", safetensorsFile(header, bytes, length));

  it("says which rule is broken", async () => {
    expect(
      await lines([
        file({ a: tensor(0, 8) }, 8, 10_000_000n),
        file({ a: tensor(0, 8) }, 8, 10_000_001n),
        file({ a: tensor(0, 8), b: tensor(4, 12) }, 12),
        file({ a: tensor(0, 8), b: tensor(12, 16) }, 16),
        file({ a: tensor(0, 8) }, 12),
        file({ a: tensor(0, 8) }, 4),
        file(`{"a": 1, "a": 2}`, 8),
        file(`{"a": [{"b": 1}, {"b": 1}], "b": {"a": {"c": 1, "c": 2}}}`, 8),
        file({ a: tensor(0, 8, [3]) }, 8),
        file({ a: tensor(0, 8, [-2]) }, 8),
        file({ a: tensor(0, 8, [2, 1, 1, 1, 1, 1, 1, 1, 1]) }, 8),
        file({ a: { ...tensor(0, 8), data_offsets: [0, 8, 8] } }, 8),
        file({ a: { ...tensor(0, 8), data_offsets: [0.5, 8] } }, 8),
        file({ a: { ...tensor(0, 8), shape: "2" } }, 8),
        file({ a: { ...tensor(0, 8), dtype: "F99" } }, 8),
        file({ a: { ...tensor(0, 8), dtype: "toString" } }, 8),
        file({ a: { ...tensor(0, 8), more: 1 } }, 8),
        file({ a: [1] }, 8),
        file({ __metadata__: { n: 1 }, a: tensor(0, 8) }, 8),
        file({ __metadata__: "n", a: tensor(0, 8) }, 8),
        file(`{"a":`, 8),
        file(" []", 0),
        file({ a: { dtype: "I32", shape: [2], data_offsets: [0, 8] } }, 8),
        told("w.safetensors", code(1, 2, 3)),
      ]),
    ).toMatchInlineSnapshot(`
      "
      CheckpointError: w.safetensors: its safetensors header claims 10000000 bytes, past the file's end
      CheckpointError: w.safetensors: its safetensors header claims 10000001 bytes; at most 10000000 are read
      CheckpointError: w.safetensors: tensor "b" overlaps the tensor before it: it begins at 4, that one ends at 8
      CheckpointError: w.safetensors: tensor "b" leaves a gap after the tensor before it: it begins at 12, that one ends at 8
      CheckpointError: w.safetensors: its tensors take 8 bytes and the file holds 12; what is the rest?
      CheckpointError: w.safetensors: its tensors take 8 bytes and the file holds 4; it is cut short
      CheckpointError: w.safetensors: the safetensors header has the key "a" twice
      CheckpointError: w.safetensors: the safetensors header has the key "c" twice
      CheckpointError: w.safetensors: tensor "a": of F32 [3] needs 12 bytes, its data_offsets span 8
      CheckpointError: w.safetensors: tensor "a": has a shape that is no list of up to 8 whole numbers
      CheckpointError: w.safetensors: tensor "a": has a shape that is no list of up to 8 whole numbers
      CheckpointError: w.safetensors: tensor "a": has data_offsets that are no two whole numbers
      CheckpointError: w.safetensors: tensor "a": has data_offsets that are no two whole numbers
      CheckpointError: w.safetensors: tensor "a": has a shape that is no list of up to 8 whole numbers
      CheckpointError: w.safetensors: tensor "a": has an unknown dtype "F99"
      CheckpointError: w.safetensors: tensor "a": has an unknown dtype "toString"
      CheckpointError: w.safetensors: tensor "a": has an unknown key "more"
      CheckpointError: w.safetensors: tensor "a": is no object in the header
      CheckpointError: w.safetensors: __metadata__ has "n" that is no text
      CheckpointError: w.safetensors: __metadata__ of the safetensors header is no object
      CheckpointError: w.safetensors: the safetensors header is no JSON in UTF-8; is the file whole?
      CheckpointError: w.safetensors: the safetensors header is no JSON object
      CheckpointError: w.safetensors: a: is I32; weights are read as F32, F16 or BF16, convert them first
      CheckpointError: w.safetensors: is neither a safetensors file nor a zip archive of PyTorch's
      "
    `);
  });

  it("names the tensor of another type, where our own files are read", async () => {
    const path = writeIn(temporaryFolder(), "w.safetensors", safetensorsFile({ a: { dtype: "I8", shape: [2], data_offsets: [0, 2] } }, 2)); // prettier-ignore
    await expect(readSafetensors(path)).rejects.toThrow(`${path}: a: is I8; weights are read as`);
  });

  it("is none for eight axes, an empty tensor between others, or metadata", async () => {
    expect(
      await lines([
        file({ a: tensor(0, 8, [2, 1, 1, 1, 1, 1, 1, 1]) }, 8),
        file({ b: tensor(8, 8), c: tensor(8, 16), a: tensor(0, 8), __metadata__: { a: "b" } }, 16),
        file({ c: tensor(8, 16), b: tensor(8, 8), a: tensor(0, 8) }, 16),
        file(`\n{"a": ${JSON.stringify(tensor(0, 4, []))}}`, 4),
      ]),
    ).toMatchInlineSnapshot(`
      "
      w.safetensors is read: safetensors, OpenAI a F32 [2,1,1,1,1,1,1,1] 0 0
      w.safetensors is read: safetensors, OpenAI b F32 [0] ; c F32 [2] 0 0; a F32 [2] 0 0
      w.safetensors is read: safetensors, OpenAI c F32 [2] 0 0; b F32 [0] ; a F32 [2] 0 0
      w.safetensors is read: safetensors, OpenAI a F32 [] 0
      "
    `);
  });
});

describe("the refusal of other files", () => {
  it("says what they are", async () => {
    const folder = temporaryFolder();
    const refusal = (path: string) =>
      readWeights(path).then(
        () => "read",
        (error: unknown) => String(error).replaceAll(`${folder}/`, "").replaceAll(folder, "folder"),
      );
    const index = (name: string, json: unknown) =>
      refusal(writeIn(folder, `${name}.index.json`, Buffer.from(JSON.stringify(json))));
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`w${i}`, `${i}.bin`]));
    expect(
      await lines([
        told("w.pt", Buffer.alloc(0)),
        told("w.pt", Buffer.from("<html>404</html>")),
        told("w.pt", code(0x80, 2, 0x8a, 0x0a)),
        told("w.pt", code(0x80, 5, 0x8a, 0x0a)),
        told("w.pt", code(0x80, 6, 0x8a, 0x0a)),
        told("w.onnx", code(8, 9, 0x12, 7, 0, 0, 0, 0, 0)),
        told("w.onnx", code(8, 0x80, 0x12, 7, 0, 0, 0, 0, 0)),
        told("w.onnx", code(8, 9, 0x13, 7, 0, 0, 0, 0, 0)),
        told("model-00001-of-00002.safetensors", Buffer.from("a part")),
        told("model-00001-of-00001.safetensors", Buffer.from("a whole one")),
        refusal(folder),
        refusal(join(folder, "none.pt")),
        index("names", { weight_map: { a: "../w.bin" } }),
        index("slashes", { weight_map: { a: "b\\w.bin" } }),
        index("indices", { weight_map: { a: "other.index.json" } }),
        index("none", { weight_map: {} }),
        index("other", { weights: {} }),
        index("numbers", { weight_map: { a: 1 } }),
        index("many", { weight_map: many }),
        index("absent", { weight_map: { a: "absent.bin" } }),
      ]),
    ).toMatchInlineSnapshot(`
      "
      CheckpointError: w.pt: is empty; download or save it again
      CheckpointError: w.pt: is neither a safetensors file nor a zip archive of PyTorch's
      CheckpointError: w.pt: is a bare pickle, as PyTorch wrote before 1.6; save it again with a newer one
      CheckpointError: w.pt: is a bare pickle, as PyTorch wrote before 1.6; save it again with a newer one
      CheckpointError: w.pt: is neither a safetensors file nor a zip archive of PyTorch's
      CheckpointError: w.onnx: is an ONNX model, which has no text tower; name what it was exported from
      CheckpointError: w.onnx: is neither a safetensors file nor a zip archive of PyTorch's
      CheckpointError: w.onnx: is neither a safetensors file nor a zip archive of PyTorch's
      CheckpointError: model-00001-of-00002.safetensors: is one of 2 files of a model; name model.safetensors.index.json
      CheckpointError: model-00001-of-00001.safetensors: is neither a safetensors file nor a zip archive of PyTorch's
      CheckpointError: folder: is not a file; give a .safetensors or .pt file
      CheckpointError: none.pt: cannot be opened, there is no such file; is the path right?
      CheckpointError: names.index.json: names the file "../w.bin"; the files of a model lie beside its index
      CheckpointError: slashes.index.json: names the file "b\\\\w.bin"; the files of a model lie beside its index
      CheckpointError: indices.index.json: names the file "other.index.json"; the files of a model lie beside its index
      CheckpointError: none.index.json: names no file
      CheckpointError: other.index.json: is no index of weights (weight_map: the file of each tensor)
      CheckpointError: numbers.index.json: is no index of weights (weight_map: the file of each tensor)
      CheckpointError: many.index.json: names 1001 files, more than 1000
      CheckpointError: absent.bin: cannot be opened, there is no such file; is the path right?
      "
    `);
  });
});

describe("the refusal of names", () => {
  const F32 = (shape: readonly number[]) => ({ dtype: "F32", shape });
  const named = (all: Readonly<Record<string, readonly number[]>>, metadata?: object) => {
    let end = 0;
    const entries = Object.entries(all).map(([name, shape]) => {
      const begin = end;
      end += 4 * shape.reduce((size, side) => size * side, 1);
      return [name, { ...F32(shape), data_offsets: [begin, end] }] as const;
    });
    const header = { ...(metadata && { __metadata__: metadata }), ...Object.fromEntries(entries) };
    return told("w.safetensors", safetensorsFile(header, end));
  };
  const attention = (part: string, kind: string) => `text_model.encoder.layers.1.self_attn.${part}_proj.${kind}`;

  it("says which tensors are twice there, lacking or of other shapes", async () => {
    const LATENT = { "visual.trunk.attn_pool.latent": [1, 1, 2] };
    const [q, k, v] = ["q", "k", "v"].map((part) => attention(part, "bias")) as [string, string, string];
    expect(
      await lines([
        named({ "ln_final.bias": [1], "text_model.final_layer_norm.bias": [1] }),
        named({ "text_model.final_layer_norm.bias": [1], "ln_final.bias": [1] }),
        named({ [q]: [1], [v]: [1] }),
        named({ [q]: [1], [k]: [1], [v]: [2] }),
        named({ [q]: [2], [k]: [2], [v]: [2] }),
        named({ [q]: [2], [k]: [2], [v]: [2], "transformer.resblocks.1.attn.in_proj_bias": [6] }),
        named({ "visual_projection.weight": [2] }),
        named({ "visual_projection.weight": [1, 2, 1] }),
        named({ ...LATENT, "visual.trunk.pos_embed": [2, 1] }),
        named({ ...LATENT, "visual.trunk.pos_embed": [1, 3, 1] }),
        named({ ...LATENT, "visual.trunk.attn_pool.q.bias": [2], "visual.trunk.attn_pool.kv.bias": [3] }),
        named({ ...LATENT, "visual.trunk.attn_pool.q.bias": [1], "visual.trunk.attn_pool.kv.bias": [2] }),
        named({ logit_scale: [1, 1], logit_bias: [1], scale: [1] }),
        named({ "module.model.logit_scale": [], "module.model.text_features": [1, 2] }),
        named({ "clip.logit_scale": [], text_features: [1, 2] }),
        named({ "_orig_mod.clip_model.a": [1], "_orig_mod.clip_model.b": [1] }),
        named({ a: [1], attn_mask: [1], "b.attn_mask": [1], "b.position_ids": [1], "c.num_batches_tracked": [1] }),
        named({ input_resolution: [1], context_length: [1], vocab_size: [1], "a.vocab_size": [1] }),
      ]),
    ).toMatchInlineSnapshot(`
      "
      CheckpointError: w.safetensors: two tensors are ln_final.bias, one of them called text_model.final_layer_norm.bias
      CheckpointError: w.safetensors: two tensors are ln_final.bias, one of them called ln_final.bias
      CheckpointError: w.safetensors: transformer.resblocks.1.attn.in_proj_bias needs queries, keys and values; not all three are there
      CheckpointError: w.safetensors: transformer.resblocks.1.attn.in_proj_bias has parts of unequal shape
      w.safetensors is read: safetensors, Hugging Face transformer.resblocks.1.attn.in_proj_bias F32 [6] 0 0 0 0 0 0
      CheckpointError: w.safetensors: two tensors are transformer.resblocks.1.attn.in_proj_bias, one of them called transformer.resblocks.1.attn.in_proj_bias
      CheckpointError: w.safetensors: visual_projection.weight has 1 axes, not 2
      CheckpointError: w.safetensors: visual_projection.weight has 3 axes, not 2
      CheckpointError: w.safetensors: visual.trunk.pos_embed has 2 entries, not one
      w.safetensors is read: safetensors, open_clip visual.attnpool.probe F32 [1,1,2] 0 0; visual.positional_embedding F32 [3,1] 0 0 0
      CheckpointError: w.safetensors: visual.trunk.attn_pool.kv.bias has 3 rows, which are not keys and values alike
      w.safetensors is read: safetensors, open_clip visual.attnpool.probe F32 [1,1,2] 0 0; visual.attnpool.attn.in_proj_bias F32 [3] 0 0 0
      w.safetensors is read: safetensors, OpenAI logit_scale F32 [] 0; logit_bias F32 [] 0; scale F32 [1] 0
      w.safetensors is read in module. in model.: safetensors, OpenAI logit_scale F32 [] 0
      w.safetensors is read in clip.: safetensors, OpenAI logit_scale F32 [] 0
      w.safetensors is read in _orig_mod. in clip_model.: safetensors, OpenAI a F32 [1] 0; b F32 [1] 0
      w.safetensors is read: safetensors, OpenAI a F32 [1] 0
      w.safetensors is read: safetensors, OpenAI a.vocab_size F32 [1] 0
      "
    `);
  });

  it("says what is wrong with the tokens of a table that keeps few", async () => {
    const table = (tokens: string, shape: readonly number[]) =>
      named({ "token_embedding.weight": shape }, { kept_tokens: tokens });
    expect(
      await lines([
        table("1,2,2", [3, 1]),
        table("1,49408", [2, 1]),
        table("1,-2", [2, 1]),
        table("1, 2", [2, 1]),
        table("", [1, 1]),
        table("1,2", [3, 1]),
        table("1,2", []),
        table("1", [1, 8193]),
        named({ logit_scale: [] }, { kept_tokens: "1,1" }),
        named({ logit_scale: [] }, { kept_tokens: "1,49407" }),
      ]),
    ).toMatchInlineSnapshot(`
      "
      CheckpointError: w.safetensors: its kept_tokens are not distinct tokens of the vocabulary
      CheckpointError: w.safetensors: its kept_tokens are not distinct tokens of the vocabulary
      CheckpointError: w.safetensors: its kept_tokens are not distinct tokens of the vocabulary
      CheckpointError: w.safetensors: its kept_tokens are not distinct tokens of the vocabulary
      CheckpointError: w.safetensors: its kept_tokens are not distinct tokens of the vocabulary
      CheckpointError: w.safetensors: token_embedding.weight has 3 rows, and names 2 tokens for them
      CheckpointError: w.safetensors: token_embedding.weight has 0 rows, and names 2 tokens for them
      CheckpointError: w.safetensors: token_embedding.weight has rows of 8193 numbers; at most 8192 are read
      CheckpointError: w.safetensors: its kept_tokens are not distinct tokens of the vocabulary
      w.safetensors is read: safetensors, OpenAI logit_scale F32 [] 0
      "
    `);
  });
});
