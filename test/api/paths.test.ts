import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { expandPaths } from "../../src/api/paths.js";
import { STANDARD_INPUT } from "../../src/base/text.js";
import { temporaryFolder } from "../support/runs.js";

const root = temporaryFolder();
const at = (name: string) => join(root, name);
for (const folder of ["sub/deep", "empty", ".hidden"]) mkdirSync(at(folder), { recursive: true });
const names = ["b.jpg", "a.PNG", "notes.txt", "shot[1].jpg", "sub/c.bmp", "sub/deep/d.tiff", ".hidden/e.jpg"];
for (const name of names) writeFileSync(at(name), "");
symlinkSync(at("b.jpg"), at("sub/link.webp"));

/** What the paths, given as they lie in the folder, come to, named in the same way. */
async function expanded(paths: readonly string[], { recursive = false, list = "" } = {}) {
  const given = paths.map((name) => (name === STANDARD_INPUT ? name : at(name)));
  const { files, problems, notes } = await expandPaths(given, { recursive, readList: () => Promise.resolve(list) });
  return { files: files.map((file) => relative(root, file)), problems: problems.map(({ error }) => error), notes };
}

describe("expandPaths", () => {
  it("takes a folder's images by name, in their order, and no folder in it", async () => {
    expect(await expanded(["."])).toMatchObject({ files: ["a.PNG", "b.jpg", "shot[1].jpg"], problems: [] });
  });

  it("looks into folders in folders where asked, through links, past hidden ones", async () => {
    const { files } = await expanded(["."], { recursive: true });
    const inside = ["sub/c.bmp", "sub/deep/d.tiff", "sub/link.webp"];
    expect(files).toEqual(["a.PNG", "b.jpg", "shot[1].jpg", ...inside]);
  });

  it("comes to an end where a folder's link leads back to it", async () => {
    const circle = temporaryFolder();
    writeFileSync(join(circle, "x.jpg"), "");
    symlinkSync(circle, join(circle, "again"));
    const { files } = await expandPaths([circle], { recursive: true, readList: () => Promise.resolve("") });
    expect(files).toContain(join(circle, "x.jpg"));
    expect(files.length).toBeLessThanOrEqual(2);
  });

  it("tries a named file whatever it is called, and leaves a missing one for its turn", async () => {
    const paths = ["notes.txt", "missing.jpg"];
    expect(await expanded(paths)).toEqual({ files: paths, problems: [], notes: [] });
  });

  it("finds what a pattern matches, unless a file has the pattern itself for its name", async () => {
    expect((await expanded(["**/*.{bmp,tiff}"])).files).toEqual(["sub/c.bmp", "sub/deep/d.tiff"]);
    expect((await expanded(["shot[1].jpg"])).files).toEqual(["shot[1].jpg"]);
    expect((await expanded(["shot[[]1].jpg"])).files).toEqual(["shot[1].jpg"]);
  });

  it("reads lists of lines and of NUL-separated names, folders among them, patterns not", async () => {
    const lines = await expanded([STANDARD_INPUT, "a.PNG"], { list: `${at("b.jpg")}\r\n\n${at("sub")}\n` });
    expect(lines.files).toEqual(["b.jpg", "sub/c.bmp", "sub/link.webp", "a.PNG"]);
    const nul = await expanded([STANDARD_INPUT], { list: `${at("new\nline.jpg")}\0${at("*.jpg")}\0` });
    expect(nul.files).toEqual(["new\nline.jpg", "*.jpg"]);
  });

  it("says of what names no image why it does not", async () => {
    const { files, problems } = await expanded(["empty", "*.gif", STANDARD_INPUT]);
    expect(files).toEqual([]);
    expect(problems).toEqual([
      `${at("empty")}: holds no image; --recursive looks into its folders too`,
      `${at("*.gif")}: matches no image`,
      "-: standard input names no image",
    ]);
  });

  it("tries every file of a folder that is an image by its bytes, and counts and names the others", async () => {
    const mixed = temporaryFolder();
    const jpeg = Buffer.from("ffd8ffe000104a464946", "hex");
    for (const name of ["b.jfif", "c.mpo", "d"]) writeFileSync(join(mixed, name), jpeg);
    writeFileSync(join(mixed, "a.jpg"), "");
    writeFileSync(join(mixed, "e.heic"), "\0\0\0\x18ftypheic");
    symlinkSync(join(mixed, "nowhere"), join(mixed, "f.jpg"));
    symlinkSync(join(mixed, "nowhere"), join(mixed, "g"));
    mkdirSync(join(mixed, "album.jpg"));
    const { files, notes } = await expandPaths([mixed], { recursive: false });
    expect(files.map((file) => relative(mixed, file))).toEqual(["a.jpg", "b.jfif", "c.mpo", "d", "f.jpg", "g"]);
    expect(notes).toEqual([`${mixed}: left out 1 of 7 files, no images: e.heic (this is a HEIF, AVIF or video file)`]);
  });

  it.each([
    ["with a mark", [0xff, 0xfe]],
    ["without one", []],
  ])("says of a list in UTF-16 %s that it is", async (_, mark) => {
    const bytes = Buffer.concat([Buffer.from(mark), Buffer.from("photos/a.jpg\nphotos/b.jpg\n", "utf16le")]);
    const { files, problems } = await expanded([STANDARD_INPUT], { list: bytes.toString("utf8") });
    expect(files).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(/^-: standard input is UTF-16 text.*save it as UTF-8$/)]);
  });
});
