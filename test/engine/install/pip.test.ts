import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { downloadWithPip, type Pip } from "../../../src/engine/install/wheels.js";
import { temporaryFolder } from "../temporary.js";

const FILE = "nvidia_x_cu12-1.2-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl";
const PIN = { file: FILE, bytes: 5, sha256: "" };

/** A program in pip's place: writes its arguments down, then does what `script` says. */
function fakePip(folder: string, script: string): Pip {
  const program = join(folder, "pip");
  writeFileSync(program, `#!/bin/sh\necho "$@" > "${join(folder, "arguments")}"\n${script}\n`);
  chmodSync(program, 0o755);
  return [program];
}

describe("downloadWithPip", () => {
  it("asks for one version and for the platforms of its file alone, without dependencies", async () => {
    const folder = temporaryFolder();
    const target = temporaryFolder();
    const pip = fakePip(folder, `echo wheel > "${target}/${FILE}"`);
    const path = await downloadWithPip(pip, { pin: PIN, folder: target, report: () => undefined });
    expect(readFileSync(path, "utf8")).toBe("wheel\n");
    const given = readFileSync(join(folder, "arguments"), "utf8");
    expect(given).toContain("--no-deps --only-binary=:all:");
    expect(given).toContain("--python-version 3.12 --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64");
    expect(given).toContain(`--dest ${target} nvidia-x-cu12==1.2\n`);
  });

  it("ends with pip's last words and the way without it", async () => {
    const pip = fakePip(temporaryFolder(), "echo ERROR: No matching distribution found >&2; exit 1");
    const download = { pin: PIN, folder: temporaryFolder(), report: () => undefined };
    await expect(downloadWithPip(pip, download)).rejects.toThrow(
      /nvidia-x-cu12==1.2 failed:\nERROR: No matching distribution found\nGet nvidia_x_cu12-1.2.* --wheel FILE/,
    );
  });
});
