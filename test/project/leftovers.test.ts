import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import setup from "../support/globalSetup.js";

const suite = process.env["LIQE_TEST_FOLDER"];
const { exitCode } = process;
afterEach(() => {
  process.env["LIQE_TEST_FOLDER"] = suite;
  process.exitCode = exitCode;
});

/** Folder of a suite that begins now, and what ends it. */
function suiteOf(): { readonly folder: string; readonly teardown: () => void } {
  const teardown = setup();
  return { folder: process.env["LIQE_TEST_FOLDER"] ?? "", teardown };
}

describe("a run of the tests", () => {
  it("passes where they left nothing, though other programs' folders came meanwhile, and removes its own", () => {
    const { folder, teardown } = suiteOf();
    mkdtempSync(join(tmpdir(), "liqe-bench-"));
    mkdtempSync(join(tmpdir(), "else-"));
    teardown();
    expect(existsSync(folder)).toBe(false);
    expect(process.exitCode).toBe(exitCode);
  });

  it("fails where they left a file in its folder, names it, and removes it", () => {
    const { folder, teardown } = suiteOf();
    mkdirSync(join(folder, "file-1"));
    writeFileSync(join(folder, "file-1", "left.txt"), "");
    expect(teardown).toThrow(`left 2 files and folders behind:\n${join(folder, "file-1")}\n`);
    expect(existsSync(folder)).toBe(false);
    expect(process.exitCode).toBe(1);
  });

  it("fails where they left a folder beside it", () => {
    const { teardown } = suiteOf();
    const left = mkdtempSync(join(tmpdir(), "liqe-engine-"));
    expect(teardown).toThrow(left);
  });
});
