// `npm run docs`: writes docs/api.md, made by typedoc from the docstrings of what src/index.ts exports.
// `node scripts/apiDocs.mjs FOLDER` writes it elsewhere; test/project/api.test.ts compares the two.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main, ROOT, tool } from "./steps.mjs";

await main(async () => {
  const [target = join(ROOT, "docs")] = process.argv.slice(2);
  const folder = mkdtempSync(join(tmpdir(), "liqe-docs-"));
  try {
    await tool("typedoc/bin/typedoc", "--logLevel", "Warn", "--treatWarningsAsErrors", "--out", folder);
    await tool("prettier/bin/prettier.cjs", "--write", "--log-level", "warn", join(folder, "api.md"));
    cpSync(join(folder, "api.md"), join(target, "api.md"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
