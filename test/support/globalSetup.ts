import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Prefix of a run's own folder. */
const SUITE = "liqe-tests-";

/** Folders of other programs, which may run at the same time: other suites, benchmarks, scripts. */
const OTHERS = [SUITE, "liqe-bench-", "liqe-mutants-", "liqe-docs-"];

/** Folder of the fixture that golden.ts unpacks once for all files. */
const SHARED = "liqe-tiny-fixture";

/** Where `compile` (compiled.ts) puts its copies. */
const CACHES = fileURLToPath(new URL("../../node_modules/.cache", import.meta.url));

/**
 * Makes the folder in which every file's tests have their own temporary one (setup.ts); it is gone after the last test.
 * A run that leaves anything in it, beside it or among the packages fails, and says what.
 * The engine is installed by `npm test` before vitest starts.
 */
export default function setup(): () => void {
  process.env["NO_COLOR"] = "1";
  const before = new Set(traces());
  const folder = mkdtempSync(join(tmpdir(), SUITE));
  process.env["LIQE_TEST_FOLDER"] = folder;
  return () => {
    const inside = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => !name.startsWith(SHARED) && !isEmptyFolder(join(folder, name)))
      .map((name) => join(folder, name));
    const left = [...inside, ...traces().filter((name) => !before.has(name))];
    rmSync(folder, { recursive: true, force: true });
    if (left.length === 0) return;
    process.exitCode = 1; // vitest shows the error, and alone would end with 0
    throw new Error(`the tests left ${left.length} files and folders behind:\n${left.slice(0, 20).join("\n")}`);
  };
}

/** A file's own folder, with nothing or empty ones in it: it stays where all its tests are skipped, as `afterAll` is not called. */
function isEmptyFolder(path: string): boolean {
  return statSync(path).isDirectory() && readdirSync(path).every((name) => isEmptyFolder(join(path, name)));
}

/** What tests could leave outside of their folder. */
function traces(): string[] {
  const named = (folder: string, isOurs: (name: string) => boolean) =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter(isOurs)
          .map((name) => join(folder, name))
      : [];
  const isOurs = (name: string) => name.startsWith("liqe-") && OTHERS.every((other) => !name.startsWith(other));
  return [...named(tmpdir(), isOurs), ...named(CACHES, (name) => name.startsWith("liqe-test-"))];
}
