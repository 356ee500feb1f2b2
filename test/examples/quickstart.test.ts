import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { besidePeople } from "../../scripts/quickstart.mjs";
import { loadConfig } from "../../src/api/config.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { sha256OfFile } from "../../src/base/files.js";
import { openDatabases } from "../../src/data/openDatabases.js";
import { IS_BUILT } from "../cli/liqe.js";

describe("the sample of LIVE In the Wild", () => {
  it.each(["quickstart.yaml", "smoke.yaml"])("is the first database of %s, whole", async (name) => {
    const { config } = loadConfig(join(PACKAGE_ROOT, "configs", name));
    const [database] = await openDatabases(config.data, 1);
    const samples = [database?.train, database?.val, database?.test].map((part) => part ?? []);
    expect(samples.map((part) => part.length)).toEqual([400, 48, 120]);
    const files = new Set(samples.flat().map(({ file }) => file));
    expect(files.size).toBe(568);
    const sums = await Promise.all([...files].map((file) => sha256OfFile(file)));
    expect(new Set(sums).size).toBe(568); // no picture is there twice, to train on and to test on
  });

  it("has its makers' notice beside it and in the README's section on licenses", () => {
    const notice = readFileSync(join(PACKAGE_ROOT, "examples", "clive-sample", "NOTICE"), "utf8");
    expect(notice).toContain("Copyright (c) 2015 The University of Texas at Austin");
    expect(notice).toContain("to use, copy, modify, and distribute this\ndatabase");
    const readme = readFileSync(join(PACKAGE_ROOT, "README.md"), "utf8");
    const [, license = ""] = readme.split("\n## License");
    expect(license).toContain("examples/clive-sample/NOTICE");
    expect(license).toContain("The University of Texas at Austin");
  });
});

describe.skipIf(!IS_BUILT)("besidePeople", () => {
  it("shows four photographs from bad to good by people's scores, the model's sentence and both places", async () => {
    const rows = Array.from({ length: 20 }, (_, i) => {
      // The best by people are the worst by the model, in another order than either's
      const mos = 5 * ((7 * i) % 20);
      return `clive-sample,Images/${mos}.webp,${mos},${5 - mos / 25},others,noise,night,blur`;
    });
    const csv = ["database,image,mos,quality,scene,distortion,sceneLabel,distortionLabel", ...rows, ""].join("\n");
    expect((await besidePeople(csv)).split("\n")).toEqual([
      "Four photographs that it never saw, the worst by people's scores first:",
      ...[
        [10, "4.60", 18, 3],
        [40, "3.40", 12, 9],
        [70, "2.20", 6, 15],
        [95, "1.20", 1, 20],
      ].flatMap(([mos, quality, people, model]) => [
        `examples/clive-sample/Images/${mos}.webp is a photo of something else with noise artifacts, ` +
          `of perceptual quality ${quality} (1 to 5)`,
        `  people: ${mos}.0 of 100, place ${people} of 20`,
        `  model:  ${quality} of 5, place ${model} of 20`,
      ]),
    ]);
  });
});
