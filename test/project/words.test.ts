import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { filesIn } from "../../src/base/folders.js";
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

/** Files of a folder of the checkout with such an ending, as paths from the checkout. */
async function files(folder: string, ending: string): Promise<string[]> {
  const names = (await filesIn(join(PACKAGE_ROOT, folder))).filter((name) => name.endsWith(ending));
  return names.map((name) => `${folder}/${name}`);
}

const PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
const texts = [
  ...(await files("src", ".ts")),
  ...(await files("docs", ".md")),
  ...(await files("configs", ".yaml")),
  ...(await files("scripts", ".mjs")),
  ...(await files("bench", ".mjs")),
  ...PAGES,
].map((file) => ({ file, lines: readFileSync(join(PACKAGE_ROOT, file), "utf8").split("\n") }));

describe("the words", () => {
  it.each(SPELLINGS)("are American: not %s but %s", (british) => {
    const found = texts.flatMap(({ file, lines }) =>
      lines.flatMap((line, i) => (british.test(line) && !KEPT.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])),
    );
    expect(found).toEqual([]);
  });
});
