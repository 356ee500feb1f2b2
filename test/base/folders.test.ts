import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../src/base/errors.js";
import { makeFolders, requireFilePlace, requireFolderPlace, writeNamedFile } from "../../src/base/folders.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { temporaryFolder } from "../support/runs.js";

describe("makeFolders", () => {
  it("makes what is missing, and says whether it did", async () => {
    const folder = join(temporaryFolder(), "a", "b", "c");
    expect(await makeFolders(folder)).toBe(true);
    expect(existsSync(folder)).toBe(true);
    expect(await makeFolders(folder)).toBe(false);
  });

  it("is the only maker of several folders in src: Node's own says nothing where a disk fails", () => {
    const source = join(PACKAGE_ROOT, "src");
    const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const others = files.filter((name) =>
      /mkdir(Sync)?\([^;]*recursive: true/.test(readFileSync(join(source, name), "utf8")),
    );
    expect(files.length).toBeGreaterThan(200);
    expect(others).toEqual([]);
  });

  it("makes one folder for all that ask at once", async () => {
    const folder = join(temporaryFolder(), "a", "b");
    const made = await Promise.all([makeFolders(folder), makeFolders(folder), makeFolders(folder)]);
    expect(made.filter(Boolean)).toHaveLength(1);
  });

  it("names a file that is in the way, wherever it is", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    for (const wanted of ["file", "file/a", "file/a/b"]) {
      const made = makeFolders(join(folder, wanted));
      await expect(made).rejects.toThrow(ConfigError);
      await expect(made).rejects.toThrow(`${join(folder, "file")}: is there and is no folder`);
    }
  });

  it("takes a link to a folder for one, and names a link to nothing", async () => {
    const folder = temporaryFolder();
    symlinkSync(folder, join(folder, "here"));
    symlinkSync(join(folder, "nothing"), join(folder, "nowhere"));
    expect(await makeFolders(join(folder, "here", "a"))).toBe(true);
    expect(existsSync(join(folder, "a"))).toBe(true);
    await expect(makeFolders(join(folder, "nowhere", "a"))).rejects.toThrow("nowhere: is there and is no folder");
  });

  it.runIf(existsSync("/proc/self"))("ends where a file system takes no folders", async () => {
    const made = makeFolders("/proc/liqe/run");
    await expect(made).rejects.toThrow(ConfigError);
    await expect(made).rejects.toThrow("/proc/liqe: no folder can be made in /proc");
  });
});

describe("writeNamedFile", () => {
  it("makes the file's folder, and replaces the file", async () => {
    const file = join(temporaryFolder(), "a", "b", "scores.csv");
    await writeNamedFile(file, "1");
    await writeNamedFile(file, "2");
    expect(readFileSync(file, "utf8")).toBe("2");
  });

  it("refuses a folder's name, and a file in place of the folder, before anything is made", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    await expect(requireFilePlace(folder)).rejects.toThrow(`${folder}: is a folder; name a file`);
    const inFile = requireFilePlace(join(folder, "file", "new", "scores.csv"));
    await expect(inFile).rejects.toThrow(`${join(folder, "file")}: is there and is no folder`);
    await expect(writeNamedFile(folder, "1")).rejects.toThrow(ConfigError);
    await requireFolderPlace(join(folder, "new", "below"));
    expect(readdirSync(folder)).toEqual(["file"]);
  });
});
