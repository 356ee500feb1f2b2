import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

/** British spellings beside the American ones that this project writes. */
const SPELLINGS: readonly (readonly [RegExp, string])[] = [
  [/colour/i, "color"],
  [/licence/i, "license"],
  [/\bgrey/i, "gray"],
  [/(normal|minim|maxim|initial|optim|recogn|summar|general|standard|organ)is(e|ing|ation)/i, "-ize"],
  [/labell(ed|ing)/i, "labeled"],
  [/behaviour/i, "behavior"],
  [/\bcentre/i, "center"],
  [/neighbour/i, "neighbor"],
  [/favour/i, "favor"],
  [/flavour/i, "flavor"],
  [/\bjudgement/i, "judgment"],
  [/catalogue/i, "catalog"],
  [/analyse/i, "analyze"],
  [/modelling/i, "modeling"],
  [/cancelled/i, "canceled"],
];

/** Words of files and interfaces that do not change: an export's manifest and its license notes, other projects' own. */
const KEPT =
  /["`](colour|licence|unlabelled)["`]|\b(colour|licence|unlabelled):|\.licence\b|LICENCES|LICENCE\b|labelledby|toColourspace|pipelineColourspace|cielab|Colourspace|@img\/colour/;

function files(folder: string, ends: readonly string[]): string[] {
  return readdirSync(join(PACKAGE_ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ends.some((end) => entry.name.endsWith(end)))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.includes("node_modules") && !file.includes("/public/") && !file.includes("/dist/"));
}

const PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map((name) => join(PACKAGE_ROOT, name));
const texts = [
  ...files("src", [".ts"]),
  ...files("docs", [".md"]),
  ...files("configs", [".yaml"]),
  ...files("scripts", [".mjs"]),
  ...files("bench", [".mjs"]),
  ...PAGES,
].map((file) => ({ file: relative(PACKAGE_ROOT, file), lines: readFileSync(file, "utf8").split("\n") }));

describe("the words", () => {
  it.each(SPELLINGS)("are American: not %s but %s", (british) => {
    const found = texts.flatMap(({ file, lines }) =>
      lines.flatMap((line, i) => (british.test(line) && !KEPT.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])),
    );
    expect(found).toEqual([]);
  });
});
