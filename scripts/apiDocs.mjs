// `npm run docs`: writes docs/api.md, made by typedoc from the docstrings of what src/index.ts exports.
// `node scripts/apiDocs.mjs FOLDER` writes it elsewhere; test/project/api.test.ts compares the two.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main, ROOT, tool } from "./steps.mjs";

/** The page without the constructors of errors and the anchors of properties, to which nothing links. */
function readable(page) {
  return page.replace(/#### Constructors\n[^]*?(?=\n#### |\n\*\*\*\n)/g, "").replaceAll(/<a id="[^"]*"><\/a> /g, "");
}

await main(async () => {
  const [target = join(ROOT, "docs")] = process.argv.slice(2);
  const folder = mkdtempSync(join(tmpdir(), "liqe-docs-"));
  try {
    await tool("typedoc/bin/typedoc", "--logLevel", "Warn", "--treatWarningsAsErrors", "--out", folder);
    const page = join(folder, "api.md");
    writeFileSync(page, readable(readFileSync(page, "utf8")));
    const config = join(ROOT, ".prettierrc.json");
    await tool("prettier/bin/prettier.cjs", "--write", "--log-level", "warn", "--config", config, page);
    writeFileSync(join(target, "api.md"), readFileSync(page, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
