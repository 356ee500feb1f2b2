import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { matNumbers, matTexts, readMatFile } from "../../../src/data/prepare/matFile.js";
import { createFolderAtomically } from "../files.js";

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/distributions/${name}`, import.meta.url));
const values = JSON.parse(readFileSync(fixture("values.json"), "utf8")) as { dmos: number[]; orgs: number[] }; // its script

describe("readMatFile", () => {
  it("reads what scipy.io.savemat wrote: numbers of each kind, column by column, texts and cells", async () => {
    const variables = await readMatFile(fixture("kinds.mat"));
    expect(Object.fromEntries(variables)).toEqual({
      doubles: [1.5, 0, -2.25, 3, 1e300, Math.PI],
      singles: [0.5, -0.125],
      bytes: [0, 200, 255],
      flags: [1, 0],
      integers: [-7, 70000],
      text: "hello",
      words: ["a", "longer than eight", ""],
    });
  });

  it("reads compressed files", async () => {
    const file = fixture("dmos_realigned.mat");
    const variables = await readMatFile(file);
    expect(matNumbers(variables, "dmos_new", file)).toEqual(values.dmos);
    expect(matNumbers(variables, "orgs", file)).toEqual(values.orgs);
    const names = matTexts(await readMatFile(fixture("refnames_all.mat")), "refnames_all", file);
    expect([names.length, names[0], names[981]]).toEqual([982, "ref0.bmp", "ref24.bmp"]);
  });

  it("names what a file has where a variable is missing or of another kind", async () => {
    const variables = await readMatFile(fixture("kinds.mat"));
    expect(() => matNumbers(variables, "dmos", "k.mat")).toThrow(
      /^k\.mat: has no numbers named dmos \(it has doubles, /,
    );
    expect(() => matNumbers(variables, "words", "k.mat")).toThrow("no numbers named words");
    expect(() => matTexts(variables, "doubles", "k.mat")).toThrow("no texts named doubles");
  });

  const whole = readFileSync(fixture("kinds.mat"));
  it.each([
    ["version 7.3", Buffer.from("MATLAB 7.3 MAT-file, Platform".padEnd(512)), /version 7\.3 \(HDF5\); .*"-v7"/],
    ["text", Buffer.from("1,2,3\n"), /is no MATLAB file of level 5/],
    ["a cut file", whole.subarray(0, 300), /is damaged \(an element ends \d+ bytes too late\)/],
    [
      "a bomb",
      Buffer.concat([whole.subarray(0, 128), Buffer.from([15, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4])]),
      /is damaged/,
    ],
  ])("refuses %s, saying what to do", async (_, bytes, message) => {
    const folder = createFolderAtomically({ "x.mat": bytes });
    await expect(readMatFile(path.join(folder, "x.mat"))).rejects.toThrow(message);
  });

  it("reads no file cut anywhere as if it were whole", async () => {
    const total = (await readMatFile(fixture("kinds.mat"))).size;
    for (let length = 128; length < whole.length; length += 13) {
      const folder = createFolderAtomically({ "x.mat": whole.subarray(0, length) });
      const outcome = await readMatFile(path.join(folder, "x.mat")).then(
        (variables) => variables.size,
        (error: unknown) => (error as Error).name, // rejected, as the next line checks
      );
      expect(outcome === "DataError" || Number(outcome) < total).toBe(true);
    }
  });
});
