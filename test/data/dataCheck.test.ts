import { readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { dataCheckCommand } from "../../src/cli/commands/dataCheck.js";
import { FINDING_KINDS } from "../../src/data/audit/findings.js";
import { createFolderAtomically } from "./files.js";

afterEach(() => {
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

/** Runs `liqe data check` and gives what it wrote to standard output. */
async function check(options: Partial<Parameters<typeof dataCheckCommand.handler>[0]>): Promise<string> {
  let written = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written += String(text);
    return true;
  });
  const none = {
    config: undefined,
    list: undefined,
    images: undefined,
    set: [],
    listsOnly: false,
    "lists-only": false,
    pixels: true,
    maxMegapixels: undefined,
    "max-megapixels": undefined,
    followLinks: undefined,
    "follow-links": undefined,
    json: false,
  };
  await dataCheckCommand.handler({ ...none, _: [], $0: "liqe", ...options });
  return written;
}

describe("liqe data check", () => {
  it("writes JSON alone with --json, and ends with 3 on errors", async () => {
    const folder = createFolderAtomically({ "l.csv": "image,mos\ngone.png,1\n" });
    const written = await check({ list: path.join(folder, "l.csv"), images: folder, json: true });
    const report = JSON.parse(written) as { findings: { kind: string; severity: string }[]; counts: object }; // its form
    expect(Object.keys(report)).toEqual(["findings", "counts"]);
    expect(report.findings.filter(({ severity }) => severity === "error").map(({ kind }) => kind)).toEqual(["missing"]);
    expect(process.exitCode).toBe(3);
  });

  it("ends well where the lists are in order and the images are left alone", async () => {
    const folder = createFolderAtomically({
      "l.csv": "image,mos,distortion,scene\n1.png,1,blur,human\n2.png,2,blur,human\n",
    });
    const written = await check({ list: path.join(folder, "l.csv"), images: folder, listsOnly: true });
    expect(written.trimEnd().split("\n").at(-1)).toBe("0 errors, 0 warnings, 4 notes");
    expect(process.exitCode).toBeUndefined();
  });

  it("refuses links that lead out of the images' folder with --no-follow-links", async () => {
    const folder = createFolderAtomically({ "l.csv": "image,mos\n1.png,1\n" });
    symlinkSync(path.join(createFolderAtomically({ "x.png": "no picture" }), "x.png"), path.join(folder, "1.png"));
    const options = { list: path.join(folder, "l.csv"), images: folder, json: true, pixels: false };
    const kinds = (report: string) =>
      (JSON.parse(report) as { findings: { kind: string }[] }).findings.map(({ kind }) => kind); // its form
    expect(kinds(await check({ ...options, followLinks: false }))).toContain("outside");
    expect(kinds(await check(options))).not.toContain("outside");
    process.exitCode = undefined;
  });

  it("asks for a config or a list with its images", async () => {
    await expect(check({ list: "l.csv" })).rejects.toMatchObject({ name: "ConfigError" });
  });

  it("has every kind of finding explained in docs/data.md", () => {
    const page = readFileSync(new URL("../../docs/data.md", import.meta.url), "utf8");
    const rows = page.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
    for (const [kind, meaning] of Object.entries(FINDING_KINDS)) {
      expect(rows).toContainEqual(["", `\`${kind}\``, meaning, ""]);
    }
  });
});
