import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { IS_BUILT } from "../cli/liqe.js";
import { toyDatabase, toyWeights } from "../support/runs.js";

const page = readFileSync(join(PACKAGE_ROOT, "docs", "api.md"), "utf8");
const WITH_EXAMPLE = [
  ..."train evaluate crossEvaluate judgePairs predict compare disagreements exportModel load".split(" "),
  ..."checkData convertData describeData splitData synthesize".split(" "),
];
/** Code blocks that import the package: those of docs/api.md and of the README. */
const examples = [page, readFileSync(join(PACKAGE_ROOT, "README.md"), "utf8")].flatMap((text) =>
  [...text.matchAll(/```ts\n(import [^`]*?"liqe-train"[^`]*)```/g)].map((match) => match[1] ?? ""),
);

describe("docs/api.md", () => {
  it("is what typedoc makes of the docstrings: npm run docs", () => {
    const folder = mkdtempSync(join(tmpdir(), "liqe-test-"));
    try {
      execFileSync(process.execPath, [join(PACKAGE_ROOT, "scripts", "apiDocs.mjs"), folder], { stdio: "pipe" });
      expect(readFileSync(join(folder, "api.md"), "utf8")).toBe(page);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("has an example of each function that works", () => {
    const sections = page.split("\n### ");
    const called = WITH_EXAMPLE.filter((name) => {
      const section = sections.find((text) => text.startsWith(`${name}()`)) ?? "";
      return examples.some((example) => section.includes(example) && example.includes(`${name}(`));
    });
    expect(called).toEqual(WITH_EXAMPLE);
  });
});

/** The package as `npm pack` makes it, in an empty project that has its dependencies. */
async function emptyProject(): Promise<string> {
  const project = mkdtempSync(join(tmpdir(), "liqe-test-"));
  const packed = execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", project], {
    cwd: PACKAGE_ROOT,
    encoding: "utf8",
  }).trim();
  const modules = join(project, "node_modules");
  mkdirSync(modules);
  for (const name of readdirSync(join(PACKAGE_ROOT, "node_modules"))) {
    if (!name.startsWith(".")) symlinkSync(join(PACKAGE_ROOT, "node_modules", name), join(modules, name));
  }
  execFileSync("tar", ["-xzf", join(project, packed), "-C", project]);
  execFileSync("mv", [join(project, "package"), join(modules, "liqe-train")]);
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
  const root = await toyDatabase();
  const config = `run: toys
model: { weights: ${await toyWeights()} }
data: { root: ${root}, databases: [{ name: toys, imagesPerStep: 4 }] }
prompts: { template: "a photo with {distortion} artifacts, which is of {quality} quality" }
train: { epochs: 1, stepsPerEpoch: 2, cropsPerImage: 1, learningRate: 1.0e-3 }
evaluate: { crops: 1, validationCrops: 1 }
`;
  for (const name of ["kadid.yaml", "koniq.yaml"]) writeFileSync(join(project, name), config);
  copyFileSync(join(PACKAGE_ROOT, "examples", "photos", "coffee.jpg"), join(project, "photo.jpg"));
  copyFileSync(join(PACKAGE_ROOT, "examples", "photos", "rocket.jpg"), join(project, "other.jpg"));
  writeFileSync(
    join(project, "meta_info_KonIQ10kDataset.csv"),
    "img_name,mos,std\nphoto.jpg,3.5,0.5\nother.jpg,2,0.6\n",
  );
  mkdirSync(join(project, "photos"));
  for (const name of ["coffee.jpg", "rocket.jpg", "chelsea.jpg"]) {
    copyFileSync(join(PACKAGE_ROOT, "examples", "photos", name), join(project, "photos", name));
  }
  await writePhotographs(project);
  return project;
}

/** `photos.csv` with its photographs, parts of one that do not look alike, and people's choices of two. */
async function writePhotographs(project: string): Promise<void> {
  const names = Array.from({ length: 12 }, (_, i) => `part-${i}.png`);
  for (const [i, name] of names.entries()) {
    const part = { left: 30 * i, top: 15 * i, width: 224, height: 224 };
    await sharp(join(PACKAGE_ROOT, "examples", "photos", "coffee.jpg"))
      .extract(part)
      .toFile(join(project, name));
  }
  writeFileSync(
    join(project, "photos.csv"),
    `image,mos\n${names.map((name, i) => `${name},${1 + (i % 5)}\n`).join("")}`,
  );
  writeFileSync(join(project, "pairs.csv"), "a,b,p\ncoffee.jpg,rocket.jpg,0.7\nrocket.jpg,chelsea.jpg,0.2\n");
}

describe.skipIf(!IS_BUILT)("the built package in an empty project", () => {
  let project = "";
  beforeAll(async () => {
    project = await emptyProject();
  });
  afterAll(() => {
    rmSync(project, { recursive: true, force: true });
  });

  const run = (source: string) => {
    const file = join(project, "example.mjs");
    writeFileSync(file, source);
    return spawnSync(process.execPath, [file], { cwd: project, encoding: "utf8" });
  };

  it("exports its names, its parts and the inference library", () => {
    const source = `
      import * as liqe from "liqe-train";
      import * as parts from "liqe-train/parts";
      import * as inference from "liqe-train/inference";
      console.log(Object.keys(liqe).join(), Object.keys(parts).length > 40, "Liqe" in inference);`;
    const { stdout, stderr } = run(source);
    expect(stderr).toBe("");
    expect(stdout.trim()).toBe(
      "CheckpointError,ConfigError,DataError,DiskError,EngineError,ExportMismatchError,LiqeError,Model,NoSpaceError," +
        "NonFiniteLossError,PeerLostError,ShapeError,StalledReadError,checkData,compare,convertData,crossEvaluate,describeData," +
        "disagreements,evaluate,exportModel,judgePairs,leaderboard,load,planTraining,predict,splitData,synthesize," +
        "train,version true true",
    );
  });

  it("has types that a strict program compiles with", () => {
    writeFileSync(
      join(project, "program.ts"),
      examples
        .join("\n")
        .replaceAll(/^const /gm, "var ")
        .replaceAll(/^import .*$/gm, ""),
    );
    const imports = `import { ${WITH_EXAMPLE.join(", ")}, LiqeError } from "liqe-train";\n`;
    writeFileSync(join(project, "program.ts"), imports + readFileSync(join(project, "program.ts"), "utf8"));
    const tsc = join(PACKAGE_ROOT, "node_modules", "typescript", "bin", "tsc");
    const flags = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022"];
    const libs = ["--lib", "es2023,esnext.disposable,dom", "--types", "node"];
    const { stdout } = spawnSync(process.execPath, [tsc, ...flags, ...libs, "program.ts"], {
      cwd: project,
      encoding: "utf8",
    });
    expect(stdout).toBe("");
  });

  it("runs every example of docs/api.md and the README, printing nothing of its own", () => {
    expect(examples.length).toBeGreaterThan(5);
    for (const example of examples) {
      const { status, stderr } = run(example);
      expect(stderr, example).toBe("");
      expect(status, example).toBe(0);
    }
  });
});
