import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { FORMATS, WRITTEN_FORMS } from "../../src/data/lists/formats/names.js";
import { METRIC_NAMES } from "../../src/evaluate/metrics/metrics.js";
import { chooseFormats } from "../../src/export/formats.js";
import { EXPORT_FORMATS } from "../../src/inference/manifest.js";
import { QUALITY_LOSS_NAMES } from "../../src/losses/config.js";

/** Text of a page from a heading to the next one of its level or above. */
function section(page: string, heading: string): string {
  const text = readFileSync(join(PACKAGE_ROOT, page), "utf8");
  const [, level = "", rest = ""] = new RegExp(`^(#+) ${heading}$([^]*)`, "m").exec(text) ?? [];
  return rest.split(new RegExp(`^#{1,${level.length}} `, "m"))[0] ?? "";
}

/** Names in the first cells of a section's tables. */
function namesInRows(page: string, heading: string): string[] {
  return [...section(page, heading).matchAll(/^\| `([^`]+)` /gm)].map((match) => match[1] ?? "");
}

const sorted = (names: readonly string[]) => [...names].sort();

/** What a user chooses by name and a page explains: every name, and a section that has to have each in backticks. */
const EXPLAINED: readonly (readonly [what: string, names: readonly string[], page: string, heading: string])[] = [
  ["measure", METRIC_NAMES, "docs/formats.md", "Results"],
  ["format of exports", EXPORT_FORMATS, "docs/formats.md", "An export"],
  ["format of exports, to the library's users", EXPORT_FORMATS, "docs/api.md", "ExportModelOptions"],
  ["form that lists are written in", WRITTEN_FORMS, "docs/data.md", "Lists for other programs"],
];

describe("the pages for users", () => {
  it.each(EXPLAINED)("explain every %s", (_, names, page, heading) => {
    const text = section(page, heading);
    expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  it("have a row for every loss of quality, and for no other", () => {
    const rows = namesInRows("docs/beyond-the-paper.md", "Other losses of quality");
    expect(sorted(rows)).toEqual(sorted(QUALITY_LOSS_NAMES));
  });

  it("have a row for every form of lists that is read, and for no other", () => {
    const rows = namesInRows("docs/data.md", "Lists of other projects");
    expect(sorted(rows)).toEqual(sorted(FORMATS));
  });
});

describe("chooseFormats", () => {
  it.each(EXPORT_FORMATS)("has the format %s under its own name", (name) => {
    expect(chooseFormats(name, undefined).map(({ format }) => format.name)).toEqual([name]);
  });
});
