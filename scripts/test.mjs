// `npm test`, complete in itself: installs where needed, then formatting, lint, types, cycles and all tests.
// The last line of a good run is `N passed, 0 failed, K skipped`.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, install, main, provideEngine, step, tool } from "./steps.mjs";

await main(async () => {
  await step("install", install);
  await step("formatting", () => tool("prettier/bin/prettier.cjs", "--check", "--log-level", "warn", "."));
  await step("lint", () => tool("eslint/bin/eslint.js", "--max-warnings", "0", "."));
  await step("types", async () => {
    await tool("typescript/bin/tsc", "--noEmit");
    await tool("typescript/bin/tsc", "--noEmit", "-p", "examples/browser");
  });
  await step("cycles", () =>
    tool("madge/bin/cli.js", "--circular", "--extensions", "ts", "--ts-config", "tsconfig.json", "src"),
  );
  await step("build", build);
  await step("engine", provideEngine);
  console.log(await step("tests", runTests));
});

/** All tests; the counts come from vitest's own report. */
async function runTests() {
  const folder = mkdtempSync(join(tmpdir(), "liqe-test-"));
  const report = join(folder, "report.json");
  try {
    await tool("vitest/vitest.mjs", "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`);
    const counts = JSON.parse(readFileSync(report, "utf8"));
    const skipped = counts.numPendingTests + counts.numTodoTests;
    return `${counts.numPassedTests} passed, ${counts.numFailedTests} failed, ${skipped} skipped`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
