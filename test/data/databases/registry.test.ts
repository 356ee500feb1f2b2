import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../../src/base/packageInfo.js";
import { KNOWN_DATABASES } from "../../../src/data/databases/registry.js";
import { databaseInWords } from "../../../src/data/lists/formats/databaseName.js";

/** Rows of the first table below a heading of docs/data.md, by the name in their first cell. */
function tableBelow(heading: string): Map<string, readonly string[]> {
  const page = readFileSync(join(PACKAGE_ROOT, "docs", "data.md"), "utf8");
  const [, section = ""] = page.split(`\n## ${heading}\n`);
  const lines = (/\n\|[^]*?\n(?!\|)/.exec(section)?.[0] ?? "").trim().split("\n").slice(2);
  const rows = lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim())); // prettier-ignore
  return new Map(rows.map(([name = "", ...cells]) => [name.replaceAll("`", ""), cells]));
}

const names = KNOWN_DATABASES.map(({ name }) => name);

describe("the known databases", () => {
  it.each(KNOWN_DATABASES)("have words by which the name, the title and the folder of $name are its own", (known) => {
    expect([databaseInWords(known.name), databaseInWords(known.title)]).toEqual([known.name, known.name]);
    expect([known.name, null]).toContain(databaseInWords(known.folder));
  });

  it.each([
    ["LIVE In the Wild", "clive"],
    ["live_in_the_wild", "clive"],
    ["LIVEC", "clive"],
    ["live-challenge", "clive"],
    ["LIVE", "live"],
    ["live_release2", "live"],
    ["LIVE MD", null],
    ["delivery", null],
  ])("tell LIVE's own database from the others of that name: %s is %s", (words, name) => {
    expect(databaseInWords(words)).toBe(name);
  });

  it("differ in name and folder", () => {
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(KNOWN_DATABASES.map(({ folder }) => folder)).size).toBe(names.length);
  });
});

describe("docs/data.md", () => {
  const known = tableBelow("Known databases");

  it("has the known databases, in their order, and the files that each is prepared from", () => {
    expect([...known.keys()]).toEqual(names);
    expect([...tableBelow("Prepare: lists from the makers' own files").keys()]).toEqual(names);
  });

  it.each(KNOWN_DATABASES)("has the folder and the number of images of $name, and its scale", (database) => {
    const { name, folder, images, mosRange } = database;
    const [told, count, scores = ""] = known.get(name) ?? [];
    expect([told, count]).toEqual([`\`${folder}\``, images.toLocaleString("en")]);
    if (scores === "Elo rating") return;
    const [low = NaN, high = NaN] = scores.split(" to ").map(Number);
    const [lowest, highest] = mosRange;
    expect([lowest <= low, high <= highest]).toEqual([true, true]);
    expect((high - low) / (highest - lowest)).toBeGreaterThan(0.75); // the same scale
  });

  it("is not alone: IQA_Database/README.md names them all", () => {
    const page = readFileSync(join(PACKAGE_ROOT, "IQA_Database", "README.md"), "utf8");
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
