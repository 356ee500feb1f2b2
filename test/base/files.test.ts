import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeFileAtomic } from "../../src/base/files.js";

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
