import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Makes the folder in which every file's tests have their own temporary one (setup.ts); it is gone after the last test.
 * The engine is installed by `npm test` before vitest starts.
 */
export default function setup(): () => void {
  process.env["NO_COLOR"] = "1";
  const folder = mkdtempSync(join(tmpdir(), "liqe-tests-"));
  process.env["LIQE_TEST_FOLDER"] = folder;
  return () => {
    rmSync(folder, { recursive: true, force: true });
  };
}
