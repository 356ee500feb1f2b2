import path from "node:path";
import { describe, expect, it } from "vitest";
import { createNameFinder, withFoundNames } from "../../../src/data/lists/foundNames.js";
import { createFolderAtomically } from "../files.js";

describe("createNameFinder", () => {
  const there = [
    "A/b.PNG",
    "A/Caf\u00e9.png",
    "A/cafe\u0301 2.png",
    "A/x\u200by.png",
    "A/ z.png",
    "A/m.png",
    "A/M.png",
  ];
  const files = Object.fromEntries(there.map((name) => [name, "x"]));
  const none = { kind: "none" };

  it.each([
    ["A/b.PNG", { kind: "exact", path: "A/b.PNG" }],
    ["./A//b.PNG", { kind: "exact", path: "A/b.PNG" }],
    ["a/B.png", { kind: "case", path: "A/b.PNG" }],
    ["a/b.PNG", { kind: "case", path: "A/b.PNG" }],
    ["A/m.png", { kind: "exact", path: "A/m.png" }],
    ["a/q.png", none],
    ["q/b.PNG", none],
    ["A/b.PNG/c", none],
    [
      "a/x\u200d\u00ady.png",
      { kind: "alike", path: "A/x\u200by.png", why: "the list's name holds the invisible U+200D, U+00AD; write the name again" }, // prettier-ignore
    ],
    [
      "a/XY.png",
      { kind: "alike", path: "A/x\u200by.png", why: "the file's name holds the invisible U+200B; rename the file" },
    ],
    [
      "A/z.png",
      { kind: "alike", path: "A/ z.png", why: "blanks stand at the beginning or end of one name; write both the same" },
    ],
    [
      "A/Cafe\u0301.PNG",
      { kind: "alike", path: "A/Caf\u00e9.png", why: "the file's name is in Unicode form NFC, the list's in NFD; write both in one form" }, // prettier-ignore
    ],
    [
      "A/caf\u00e9 2.png",
      { kind: "alike", path: "A/cafe\u0301 2.png", why: "the file's name is in Unicode form NFD, the list's in NFC; write both in one form" }, // prettier-ignore
    ],
  ])("finds what %j means", async (name, found) => {
    expect(await createNameFinder(createFolderAtomically(files))(name)).toEqual(found);
  });

  it("takes none of several names that differ in case alone", async () => {
    const { kind, why } = { why: "", ...(await createNameFinder(createFolderAtomically(files))("a/m.PNG")) };
    expect([kind, why]).toEqual(["alike", "several files differ from it in case alone; write one's name"]);
  });

  it("tells a name that is in no form of Unicode", async () => {
    const mixed = "\u00e9e\u0301";
    const find = createNameFinder(createFolderAtomically({ [mixed]: "x" }));
    const { why } = { why: "", ...(await find("\u00e9\u00e9")) };
    expect(why).toContain("is in Unicode form neither NFC nor NFD, the list's in NFC;");
  });

  it("gives samples the file whose name differs in case alone, and leaves others as they are", async () => {
    const folder = createFolderAtomically(files);
    const listed = ["a/B.png", "A/z.png", "A/b.PNG", "gone.png"].map((image) => {
      return { database: "mine", image, file: path.join(folder, image), folder, distortion: null, scenes: [], list: "l", line: 1 }; // prettier-ignore
    });
    const found = await withFoundNames(listed);
    expect(found[0]).toEqual({ ...listed[0], file: path.join(folder, "A/b.PNG"), foundAs: "A/b.PNG" });
    expect(found.slice(1)).toEqual(listed.slice(1));
  });
});
