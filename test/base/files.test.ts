import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { writeDurable, writeFileAtomic } from "../../src/base/files.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "atomic-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("writeFileAtomic", () => {
  it("replaces what was there and leaves no other file", async () => {
    const file = path.join(folder, "results.json");
    await writeFileAtomic(file, "old");
    await writeFileAtomic(file, "new");
    expect(await readFile(file, "utf8")).toBe("new");
    expect(await readdir(folder)).toEqual(["results.json"]);
  });

  it("leaves nothing behind where it fails", async () => {
    const before = await readdir(folder);
    await expect(writeFileAtomic(folder, "a folder is in the way")).rejects.toThrow();
    await expect(writeFileAtomic(path.join(folder, "no", "folder"), "x")).rejects.toThrow("ENOENT");
    expect(await readdir(folder)).toEqual(before);
    expect((await readdir(path.dirname(folder))).filter((name) => name.startsWith(".tmp-atomic"))).toEqual([]);
  });
});

/** Calls `work`; gives the kinds of what was synced, in order, each with the names in the folder at that moment. */
async function syncsOf(work: () => Promise<void>): Promise<(readonly [string, readonly string[]])[]> {
  const handle = await open(folder, "r");
  const prototype = Object.getPrototypeOf(handle) as typeof handle; // of every handle
  await handle.close();
  const syncs: (readonly [string, readonly string[]])[] = [];
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with a handle below
  const { sync } = prototype;
  const spy = vi.spyOn(prototype, "sync").mockImplementation(async function (this: typeof handle) {
    syncs.push([(await this.stat()).isDirectory() ? "folder" : "file", await readdir(folder)]);
    return sync.call(this);
  });
  try {
    await work();
    return syncs;
  } finally {
    spy.mockRestore();
  }
}

describe("what the disk has", () => {
  it("is the whole file before it gets its name, then the name", async () => {
    await rm(path.join(folder, "results.json"), { force: true });
    const syncs = await syncsOf(() => writeFileAtomic(path.join(folder, "results.json"), "new"));
    expect(syncs).toEqual([
      ["file", [expect.stringMatching(/^\.tmp-results\.json-/)]],
      ["folder", ["results.json"]],
    ]);
  });

  it("is all that a function wrote", async () => {
    const file = path.join(folder, "written.txt");
    const syncs = await syncsOf(() => writeDurable(file, (handle) => handle.writeFile("by hand")));
    expect(syncs.map(([kind]) => kind)).toEqual(["file"]);
    expect(await readFile(file, "utf8")).toBe("by hand");
  });
});
