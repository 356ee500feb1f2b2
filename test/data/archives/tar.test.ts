import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import type { FileMetaData } from "hyparquet";
import { describe, expect, it } from "vitest";
import {
  fileOnDisk,
  hasMember,
  nameInside,
  openArchive,
  readMember,
  splitMember,
} from "../../../src/data/archives/archive.js";
import { imageColumn, parquetMember, withoutBytes } from "../../../src/data/archives/parquetImages.js";
import { openTar } from "../../../src/data/archives/tar.js";
import { createTarWriter } from "../../../src/data/archives/writeTar.js";
import { createFolderAtomically } from "../files.js";

async function write(members: Readonly<Record<string, string | Uint8Array>>): Promise<Buffer> {
  const file = path.join(createFolderAtomically(), "a.tar");
  const handle = await open(file, "w");
  const tar = createTarWriter(handle);
  for (const [name, contents] of Object.entries(members)) await tar.add(name, Buffer.from(contents));
  await tar.end();
  expect(tar.bytes).toBe((await handle.stat()).size);
  await handle.close();
  return readFileSync(file);
}

interface Field {
  readonly name: string;
  readonly contents?: string | Buffer;
  readonly kind?: string;
  readonly prefix?: string;
  readonly magic?: string;
  /** Field of the size as it is written, where it is not that of the contents in octal digits. */
  readonly size?: Buffer | string;
}

/** A member by its parts, with a right sum, as any program may write it. */
function member({ name, contents = "", kind = "0", prefix = "", magic = "ustar\x0000", size }: Field): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  const text = typeof size === "object" ? size : Buffer.from(size ?? `${contents.length.toString(8)}\0`, "latin1");
  text.copy(block, 124);
  block.write(kind, 156, "latin1");
  block.write(magic, 257, "latin1");
  block.write(prefix, 345);
  block.fill(" ", 148, 156);
  block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8)}\0`, 148);
  const padding = Buffer.alloc((512 - (contents.length % 512)) % 512);
  return Buffer.concat([block, Buffer.from(contents), padding]);
}

const END = Buffer.alloc(1024);

function put(...parts: readonly Buffer[]): string {
  return path.join(createFolderAtomically({ "a.tar": Buffer.concat(parts) }), "a.tar");
}

/** Names of a tar's members, or the message that refuses it, with TAR for its path. */
async function namesOf(...parts: readonly Buffer[]): Promise<readonly string[] | string> {
  const file = put(...parts);
  return openTar(file).then(
    ({ names }) => names,
    (error: unknown) => (error as Error).message.replaceAll(file, "TAR"), // its text is compared
  );
}

describe("createTarWriter", () => {
  it("writes a header without time and owner, the contents, and two empty records", async () => {
    const bytes = await write({ "a/b.txt": "hello" });
    const header = [
      "a/b.txt".padEnd(100, "\0"),
      ...["0000644\0", "0000000\0", "0000000\0", "00000000005\0", "00000000000\0"],
      ...["007142\0 ", "0", "\0".repeat(100), "ustar\x0000"],
    ].join("");
    expect(bytes.toString("latin1")).toBe(
      `${header.padEnd(512, "\0")}${"hello".padEnd(512, "\0")}${"\0".repeat(1024)}`,
    );
  });

  it("fills whole records, and writes a pax record for names above 100 bytes alone", async () => {
    expect((await write({ a: new Uint8Array(512), b: new Uint8Array(513) })).length).toBe(1024 + 1536 + 1024);
    expect((await write({ ["n".repeat(100)]: "" })).length).toBe(512 + 1024);
    const long = await write({ ["n".repeat(101)]: "" });
    expect(long.length).toBe(512 + 512 + 512 + 1024);
    expect(long.toString("latin1", 0, 4)).toBe("pax\0");
    expect([long.toString("latin1", 156, 157), long.toString("latin1", 1024 + 156, 1024 + 157)]).toEqual(["x", "0"]);
    expect(long.toString("latin1", 512, 512 + 112)).toBe(`111 path=${"n".repeat(101)}\n\0`);
  });

  it("counts a pax record's own digits, also where they become one more", async () => {
    const lengthOf = async (bytes: number) => {
      const tar = await write({ ["n".repeat(bytes)]: "" });
      const record = tar
        .toString("latin1", 512, 1536)
        .replace(/\0+$/, "")
        .replace(/\0[^]*$/, "");
      const [digits = ""] = record.split(" ");
      expect(record).toBe(`${digits} path=${"n".repeat(bytes)}\n`);
      return [Number(digits), record.length];
    };
    for (const bytes of [101, 988, 989, 990, 991]) {
      const [told, real] = await lengthOf(bytes);
      expect(told).toBe(real);
    }
  });
});

describe("openTar", () => {
  it("reads the names and sizes that other programs write", async () => {
    const pax = Buffer.from("12 mtime=1.\n15 path=é.png\n20 comment=path=x.p\n");
    const file = put(
      member({ name: "folder", kind: "5" }),
      member({ name: "pax_global", kind: "g", contents: "13 path=no.p\n" }),
      member({ name: "folder/" }),
      member({ name: "././old.png", kind: "\0", magic: "", contents: "old" }),
      member({ name: "contiguous.png", kind: "7", contents: "c" }),
      member({ name: "b.png", prefix: "deep/a", contents: "deep" }),
      member({ name: "gnu.png", prefix: "not a path", magic: "ustar  \0", contents: "gnu" }),
      member({ name: "v7.png", prefix: "not a path", magic: "" }),
      member({ name: "x", kind: "x", contents: pax }),
      member({ name: "cut", contents: "pax" }),
      member({ name: "x", kind: "x", contents: "12 mtime=1.\n" }),
      member({ name: "own.png" }),
      member({ name: "L", kind: "L", contents: "long/name.png\0rest" }),
      member({ name: "x", kind: "x", contents: "6 a=b\n" }),
      member({ name: "short" }),
      member({ name: "blank-size.png", size: " 3 \0", contents: "abc" }),
      member({ name: "no-size.png", size: "" }),
      member({ name: "binary.png", size: Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]), contents: "z".repeat(258) }), // prettier-ignore
      END,
      Buffer.from("what follows the end is not looked at"),
    );
    const tar = await openTar(file);
    expect(tar.names).toEqual([
      ...["old.png", "contiguous.png", "deep/a/b.png", "gnu.png", "v7.png", "é.png", "own.png", "long/name.png"],
      ...["blank-size.png", "no-size.png", "binary.png"],
    ]);
    const textOf = async (name: string, most?: number) => (await tar.read(name, most)).toString();
    expect([await textOf("old.png"), await textOf("deep/a/b.png"), await textOf("é.png")]).toEqual([
      "old",
      "deep",
      "pax",
    ]);
    expect([await textOf("deep/a/b.png", 2), await textOf("no-size.png"), await textOf("blank-size.png", 9)]).toEqual(["de", "", "abc"]); // prettier-ignore
    expect([(await tar.read("binary.png")).length, tar.has("é.png"), tar.has("cut")]).toEqual([258, true, false]);
  });

  it.each<readonly [string, readonly Buffer[], string]>([
    ["nothing", [], "TAR: at byte 0: is cut off before its first member; get the archive again"],
    [
      "less than a record",
      [Buffer.alloc(511)],
      "TAR: at byte 0: is cut off before its first member; get the archive again",
    ],
    ["no end", [member({ name: "a.png" })], "TAR: at byte 512: is cut off after a.png; get the archive again"],
    ["half a member", [member({ name: "a" }), member({ name: "b.png", contents: "x" }).subarray(0, 512)], "TAR: at byte 512: is cut off in b.png; get the archive again"], // prettier-ignore
    [
      "no header",
      [member({ name: "a" }), Buffer.alloc(512, 7)],
      "TAR: at byte 512: has no sound header there; get the archive again",
    ],
    ["a size of other signs", [member({ name: "a", size: "9\0" }), END], "TAR: at byte 0: has a member of no sound size; get the archive again"], // prettier-ignore
    ["a size past all numbers", [member({ name: "a", size: Buffer.alloc(12, 0xff) }), END], "TAR: at byte 0: has a member of no sound size; get the archive again"], // prettier-ignore
    ["gzip", [Buffer.from([0x1f, 0x8b]), Buffer.alloc(600, 1)], "TAR: at byte 0: is compressed: unpack it by gunzip first; get the archive again"], // prettier-ignore
    ["another first byte alone", [Buffer.from([0x1f, 0x8c]), Buffer.alloc(600, 1)], "TAR: at byte 0: has no sound header there; get the archive again"], // prettier-ignore
    [
      "a link",
      [member({ name: "l", kind: "2" }), END],
      'TAR: l: is a link or device (type "2"); put the file itself in',
    ],
    ["a name twice", [member({ name: "a" }), member({ name: "./a" }), END], "TAR: has a twice; which one is right? Write the archive again"], // prettier-ignore
    ["a long name that is too long", [member({ name: "L", kind: "L", contents: "n".repeat(65_537) }), member({ name: "a" }), END], "TAR: at byte 512: has a name of too many bytes; get the archive again"], // prettier-ignore
  ])("refuses %s", async (_, parts, message) => {
    expect(await namesOf(...parts)).toBe(message);
  });

  it("takes a long name of as many bytes as are allowed, and a pax record that is damaged for none", async () => {
    const name = "n".repeat(65_536);
    expect(await namesOf(member({ name: "L", kind: "L", contents: name }), member({ name: "a" }), END)).toEqual([name]);
    for (const contents of ["no length", "3 path=x\n", "0 path=x\n", "12 mtime=1.\nxx", ""])
      expect(await namesOf(member({ name: "x", kind: "x", contents }), member({ name: "a" }), END)).toEqual(["a"]);
  });

  it("keeps small texts, whose file may be gone, and reads others from it, or says so", async () => {
    const small = "t".repeat(65_536);
    const members = { "a.JSON": small, "b.txt": "text", "c.cls": "3", "d.png": "x", "e.txt": `${small}t` };
    const file = put(...Object.entries(members).map(([name, contents]) => member({ name, contents })), END);
    const tar = await openTar(file);
    truncateSync(file, 1000);
    expect([(await tar.read("a.JSON")).toString() === small, (await tar.read("b.txt", 2)).toString(), (await tar.read("c.cls", 9)).toString()]).toEqual([true, "te", "3"]); // prettier-ignore
    await expect(tar.read("d.png")).rejects.toThrow(
      `${file}: d.png: is cut off after 0 of 1 bytes; get the archive again`,
    );
    await expect(tar.read("e.txt", 5)).rejects.toThrow(`${file}: e.txt: is cut off after 0 of 5 bytes`);
    await expect(tar.read("f")).rejects.toThrow(`${file}: has no f; is it the archive that the list names?`);
    rmSync(file);
    await expect(tar.read("d.png")).rejects.toThrow(/a\.tar: cannot be read \(ENOENT.*\); check the path$/);
  });

  it("reads no member above 512 MB", async () => {
    const size = 512 * 2 ** 20;
    const file = put(member({ name: "a.png", size: `${size.toString(8)}\0` }));
    truncateSync(file, 512 + size);
    appendFileSync(file, member({ name: "b.png", size: `${(size + 1).toString(8)}\0` }));
    truncateSync(file, 512 + size + 512 + size + 512 + 1024); // holes: they take no space
    const tar = await openTar(file);
    expect((await tar.read("a.png", 3)).toString("hex")).toBe("000000");
    await expect(tar.read("b.png", 3)).rejects.toThrow(`${file}: b.png: 536870913 bytes are too many for an image`);
  });
});

describe("a member's path", () => {
  it("has the archive and the name inside, of tars and Parquet alone", () => {
    const parts = (file: string) => Object.values(splitMember(file) ?? {});
    expect(parts("d/a.tar::x/b.png")).toEqual(["d/a.tar", "x/b.png"]);
    expect(parts("a.PARQUET::row-3")).toEqual(["a.PARQUET", "row-3"]);
    expect(parts("a.tar::b.tar::c")).toEqual(["a.tar", "b.tar::c"]);
    expect(["a.zip::b.png", "a.tar:b.png", "a.tar::", "atar::b"].map(parts)).toEqual([[], [], [], []]);
    expect([nameInside("a.tar::x/b.png"), nameInside("x/b.png")]).toEqual(["x/b.png", "x/b.png"]);
    expect([fileOnDisk("a.tar::x/b.png"), fileOnDisk("x/b.png")]).toEqual(["a.tar", "x/b.png"]);
  });

  it("is there where its archive has it", async () => {
    const file = put(member({ name: "a.png", contents: "one" }), END);
    const told = ["::a.png", "::b.png", "", "x.tar::a.png"].map(async (rest) => hasMember(`${file}${rest}`));
    expect(await Promise.all(told)).toEqual([true, false, false, false]);
    expect((await readMember(`${file}::a.png`, 2)).toString()).toBe("on");
  });

  it("is that of the archive as it was, until it is opened again with another size or time", async () => {
    const file = put(member({ name: "a.png", contents: "one" }), END);
    const first = await openArchive(file);
    expect(await openArchive(path.relative(".", file))).toBe(first);
    writeFileSync(file, Buffer.concat([member({ name: "b.png", contents: "two" }), END, END]));
    await expect(readMember(`${file}::b.png`)).rejects.toThrow("has no b.png");
    expect((await openArchive(file)).names).toEqual(["b.png"]);
    expect((await readMember(`${file}::b.png`)).toString()).toBe("two");
  });
});

describe("the description of a Parquet file with images", () => {
  const leaf = (name: string) => ({ name, type: "BYTE_ARRAY" as const });
  const schema = [
    { name: "root", num_children: 4 },
    ...[{ name: "pair", num_children: 2 }, leaf("bytes"), leaf("other")],
    leaf("bytes"),
    ...[{ name: "img", num_children: 2 }, leaf("path"), leaf("bytes")],
    leaf("mos"),
  ];
  const column = (...parts: string[]) => ({ file_offset: 0n, meta_data: { path_in_schema: parts } });
  const columns = [
    column("pair", "bytes"),
    column("bytes"),
    column("img", "path"),
    column("img", "bytes"),
    column("mos"),
  ];
  const metadata = { schema, row_groups: [{ columns, num_rows: 1n }], version: 1 } as unknown as FileMetaData; // parts of it

  it("tells the column whose parts are bytes and path", () => {
    expect(imageColumn(metadata)).toBe("img");
    expect(imageColumn({ ...metadata, schema: schema.filter(({ name }) => name !== "path") })).toBeNull();
    expect(
      imageColumn({ ...metadata, schema: [{ name: "root", num_children: 2 }, leaf("bytes"), leaf("path")] }),
    ).toBeNull();
    const more = { name: "img", num_children: 3 };
    expect(imageColumn({ ...metadata, schema: [schema[0] ?? leaf("root"), more, leaf("bytes"), leaf("path"), leaf("x")] })).toBeNull(); // prettier-ignore
  });

  it("is the same without that column's bytes, and no other's", () => {
    const lean = withoutBytes(metadata, "img");
    expect(lean.schema.map(({ name, num_children: count = 0 }) => `${name} ${count}`)).toEqual(
      ["root 4", "pair 2", "bytes 0", "other 0", "bytes 0", "img 1", "path 0", "mos 0"], // prettier-ignore
    );
    expect(lean.row_groups[0]?.columns.map(({ meta_data: told }) => told?.path_in_schema.join("."))).toEqual(
      ["pair.bytes", "bytes", "img.path", "mos"], // prettier-ignore
    );
    expect(lean).toMatchObject({ version: 1, row_groups: [{ num_rows: 1n }] });
  });

  it("names an image by its path, else by its row", () => {
    const values = [{ path: "a.png" }, { path: "" }, { path: null }, {}, { path: 3 }, null, "a.png"];
    expect(values.map((value, row) => parquetMember(row, value))).toEqual(
      ["a.png", "row-1", "row-2", "row-3", "row-4", null, null], // prettier-ignore
    );
  });
});
