// `npm test`, complete in itself: installs where needed, then formatting, lint, types, cycles and all tests but the slow
// ones, which `npm run test:slow` (`--slow`) runs. The last line of a good run is `N passed, 0 failed, K skipped`.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { build, install, main, provideEngine, step, tool } from "./steps.mjs";

const isSlow = process.argv.includes("--slow");

await main(async () => {
  await step("install", install);
  await (isSlow ? prepare() : checkAndPrepare());
  const counts = await step(isSlow ? "slow tests" : "tests", () => runTests(isSlow ? "slow" : "quick"));
  if (!isSlow) console.log("\nThere is more: npm run test:slow runs the slow tests; CI runs both.");
  console.log(counts);
});

async function prepare() {
  await step("build", build);
  await step("engine", provideEngine);
}

/** Everything that runs no test: lint, which takes longest, beside the others. */
async function checkAndPrepare() {
  const lint = step("lint", () => tool("eslint/bin/eslint.js", "--max-warnings", "0", "."));
  const others = async () => {
    await step("formatting", () => tool("prettier/bin/prettier.cjs", "--check", "--log-level", "warn", "."));
    await step("types", async () => {
      await tool("typescript/bin/tsc", "--noEmit");
      await tool("typescript/bin/tsc", "--noEmit", "-p", "examples/browser");
    });
    await step("cycles", () =>
      tool("madge/bin/cli.js", "--circular", "--extensions", "ts", "--ts-config", "tsconfig.json", "src"),
    );
    await prepare();
  };
  const failed = (await Promise.allSettled([lint, others()])).find(({ status }) => status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** The tests of `vitest.<name>.config.ts`; the counts come from vitest's own report. */
async function runTests(name) {
  const folder = mkdtempSync(join(tmpdir(), "liqe-tests-report-"));
  const report = join(folder, "report.json");
  try {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    await tool("vitest/vitest.mjs", "run", "--config", `vitest.${name}.config.ts`, ...reporters);
    const counts = JSON.parse(readFileSync(report, "utf8"));
    const skipped = counts.numPendingTests + counts.numTodoTests;
    return `${counts.numPassedTests} passed, ${counts.numFailedTests} failed, ${skipped} skipped`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
