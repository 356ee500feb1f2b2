import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { writeDurable } from "../../src/base/files.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import type { Architecture } from "../../src/model/architecture/architecture.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import { writeSafetensors } from "../../src/model/weights/safetensors.js";
import { IS_BUILT } from "../cli/liqe.js";
import { temporaryFolder, TOY_ARCHITECTURE, toyDatabase } from "../support/runs.js";

const PAGES = [
  "docs/tasks.md",
  "README.md",
  "IQA_Database/README.md",
  "checkpoints/README.md",
  "docs/data.md",
  "docs/results.md",
  "examples/browser/README.md",
  "docs/inference.md",
];

/** Command lines that are not run here, by their beginnings, each with its reason. */
const NOT_RUN: readonly (readonly [string, string])[] = [
  ["weights fetch", "downloads"],
  ["engine install", "downloads; test/engine/install has its parts"],
  ["data prepare", "needs the makers' files; test/data/prepare has small ones"],
  ["data split", "needs lists of more photographs than are made here"],
  ["data convert", "needs a database, or what data split wrote"],
  ["serve", "goes on until it is stopped; test/cli/serve.test.ts calls it"],
  ["predict shards/", "needs tar shards"],
  ["report", "needs several finished runs under checkpoints/"],
  ["train --config liqe-small.yaml", "needs the whole database of LIVE in the Wild"],
  ["train --config clive-scratch.yaml", "needs the whole database of LIVE in the Wild"],
  ["evaluate --checkpoint checkpoints/clive-ten", "needs ten runs on the whole database of LIVE in the Wild"],
  ["data check --config clive-scratch.yaml", "needs the whole database of LIVE in the Wild"],
  ["data describe IQA_Database/", "needs a whole database; the formats' tests have small ones"],
  ["evaluate --checkpoint checkpoints/quickstart --pairs", "needs people's choices of two"],
  ["evaluate --checkpoint checkpoints/kadid --checkpoint", "needs runs of one split each on two databases"],
];

/** Words of the pages that stand for something of the reader's. */
const STANDING_FOR: readonly (readonly [RegExp, string])[] = [
  [/\/data\/mine\b/g, "photos"],
  [/data\.root=\/data\b/g, "data.root=."],
  [/--photos (?:DIR|photos)\b/g, "--photos few"],
  [/--scenes TSV\b/g, "--scenes scenes.tsv"],
  [/IQA_Database\/photos/g, "made"], // each line makes a folder that must not be there
  [/--split 1-10\b/g, "--split 1-2"], // two stand for ten
];

interface Line {
  readonly page: string;
  /** As the page has it, without its remark. */
  readonly text: string;
}

/** A page's lines of commands; the remark after one stands two spaces away. */
function linesOf(page: string): Line[] {
  const text = readFileSync(join(PACKAGE_ROOT, page), "utf8");
  return [...text.matchAll(/^ {4}((?:find [^\n]*\| )?npx liqe [^\n]*?)(?: {2,}[^\n]*)?$/gm)].map(([, line = ""]) => ({ page, text: line })); // prettier-ignore
}

const isRun = ({ text }: Line) => !NOT_RUN.some(([begins]) => text.includes(`npx liqe ${begins}`));
const all = PAGES.flatMap(linesOf);
/** Each once, in the order of the pages. */
const lines = all.filter((line, i) => isRun(line) && all.findIndex(({ text }) => text === line.text) === i);

/** Heads of 64, as OpenAI's code has them: every format can be exported. */
const ARCHITECTURE: Architecture = {
  ...TOY_ARCHITECTURE,
  vision: { ...TOY_ARCHITECTURE.vision, width: 64 },
  text: { ...TOY_ARCHITECTURE.text, width: 64 },
};

describe.skipIf(!IS_BUILT)("every command line of the pages for users", () => {
  const cwd = temporaryFolder();
  const settings = (): Record<string, unknown> => ({
    model: { weights: join(cwd, "toy.safetensors") },
    train: { epochs: 1, stepsPerEpoch: 2, cropsPerImage: 1, learningRate: 1e-3, warmupSteps: 0 },
    evaluate: { crops: 1, validationCrops: 1 },
  });

  beforeAll(async () => {
    await writeDurable(join(cwd, "toy.safetensors"), (handle) =>
      writeSafetensors(handle, initialParameters(ARCHITECTURE, 5)),
    );
    const root = await toyDatabase();
    for (let split = 2; split <= 2; split++) {
      cpSync(join(root, "toys", "splits2", "1"), join(root, "toys", "splits2", String(split)), { recursive: true });
    }
    for (const name of ["quickstart", "kadid", "koniq", "photos", "six-databases"]) {
      const data = { root, databases: [{ name: "toys", imagesPerStep: 4 }] };
      const prompts = { template: "a photo with {distortion} artifacts, which is of {quality} quality" };
      writeFileSync(join(cwd, `${name}.yaml`), stringify({ run: name, ...settings(), data, prompts }));
    }
    cpSync(join(PACKAGE_ROOT, "examples", "photos"), join(cwd, "examples", "photos"), { recursive: true });
    await writePhotographs();
    writeUnscored();
    for (const name of ["quickstart", "kadid", "new", "old"]) {
      const seed = name === "old" ? 2 : 1;
      run(`npx liqe train --config quickstart.yaml --set seed=${seed} --out checkpoints/${name}`);
    }
    run("npx liqe export --checkpoint checkpoints/quickstart --format openai --out for-inspect");
    cpSync(join(cwd, "for-inspect", "openai", "liqe.pt"), join(cwd, "checkpoints", "ViT-B-32.pt"));
  });

  /** Configs of people's choices and of a teacher, over those photographs. */
  function writeUnscored(): void {
    writeFileSync(join(cwd, "photos", "choices.csv"), "a,b,p\n1.jpg,2.jpg,1\n3.jpg,4.jpg,0.25\n");
    const prompts = { template: "a photo of {quality} quality" };
    const { train, ...rest } = settings();
    const write = (name: string, database: object, teacher: object) => {
      const data = { root: cwd, databases: [{ name: "photos", imagesPerStep: 4, ...database }] };
      const config = { run: name, ...rest, data, prompts, train: { ...(train as object), ...teacher } };
      writeFileSync(join(cwd, `${name}.yaml`), stringify(config));
    };
    write("pairs", { pairs: "choices.csv" }, {});
    write("distill", { photos: "photos" }, { teacher: join(cwd, "toy.safetensors") });
  }

  /** Twelve photographs in `photos`, their lists, and scores of several programs. */
  async function writePhotographs(): Promise<void> {
    mkdirSync(join(cwd, "photos"));
    const names = Array.from({ length: 12 }, (_, i) => (i === 11 ? "12.png" : `${i + 1}.jpg`));
    const sources = readdirSync(join(PACKAGE_ROOT, "examples", "photos")).filter((name) => name.endsWith(".jpg"));
    for (const [i, name] of names.entries()) {
      const source = join(PACKAGE_ROOT, "examples", "photos", sources[i % sources.length] ?? "");
      const turned = sharp(source)
        .resize(256 + i, 240, { fit: "cover" })
        .flop(i >= sources.length);
      await turned.toFile(join(cwd, "photos", name));
    }
    for (const [i, name] of [
      "photo.jpg",
      "a.jpg",
      "b.jpg",
      "few/few-1.jpg",
      "few/few-2.jpg",
      "few/few-3.jpg",
    ].entries()) {
      cpSync(join(cwd, "photos", `${i + 1}.jpg`), join(cwd, name));
    }
    const list = (column: string, of: (i: number) => number) =>
      `image,${column}\n${names.map((name, i) => `${name},${of(i)}\n`).join("")}`;
    writeFileSync(
      join(cwd, "mine.csv"),
      list("mos", (i) => 1 + (i % 5)),
    );
    writeFileSync(
      join(cwd, "scores.csv"),
      list("mos", (i) => 1 + (i % 5)),
    );
    writeFileSync(
      join(cwd, "meta_info_KonIQ10kDataset.csv"),
      list("mos", (i) => 1 + (i % 5)),
    );
    for (const [i, name] of ["a", "b", "c", "new", "old"].entries()) {
      writeFileSync(
        join(cwd, `${name}.csv`),
        list("quality", (image) => 1 + ((image * (i + 2)) % 7)),
      );
    }
    writeFileSync(join(cwd, "scenes.tsv"), names.map((name) => `${name}\tanimal\tinvalid\tinvalid\n`).join(""));
  }

  /** What a line makes, which an earlier one may have left. */
  function madeBy(text: string): string[] {
    const run = / train --config (\w[\w-]*)\.yaml(?!.* --(?:out|dry-run))/.exec(text)?.[1];
    return [
      ...(run === undefined ? [] : [`checkpoints/${run}`]),
      ...(text.includes("IQA_Database/photos") ? ["made"] : []),
      ...(/ --out (export|mine\.yaml)$/.exec(text)?.slice(1) ?? []),
    ];
  }

  /** What a line printed; fails the test where its exit code is not 0. */
  function run(text: string): string {
    const program = `'${process.execPath}' '${join(PACKAGE_ROOT, "bin", "liqe.js")}'`;
    const line = STANDING_FOR.reduce((now, [word, by]) => now.replace(word, by), text).replaceAll("npx liqe", program);
    const env = { ...process.env, NO_COLOR: "1" };
    const { status, stdout, stderr } = spawnSync("sh", ["-c", line], { cwd, env, encoding: "utf8" });
    expect([status, status === 0 ? "" : stdout + stderr], text).toEqual([0, ""]);
    return stdout;
  }

  /** The toy network and few steps in a config that the program wrote. */
  function makeSmall(name: string): void {
    const config = parse(readFileSync(join(cwd, name), "utf8")) as object;
    writeFileSync(join(cwd, name), stringify({ ...config, ...settings() }));
  }

  it("is found, and those that are not run are all of the kinds that are named", () => {
    expect(lines.length).toBeGreaterThan(35);
    for (const [begins] of NOT_RUN) expect(all.some(({ text }) => text.includes(begins))).toBe(true);
  });

  it.each(lines.map(({ page, text }) => [page, text]))("%s: %s", (_, text) => {
    for (const made of madeBy(text)) rmSync(join(cwd, made), { recursive: true, force: true });
    run(text);
    if (text.includes("--out mine.yaml")) makeSmall("mine.yaml"); // CLIP's weights are not here
  });

  it("data describe prints a command that trains on the list", () => {
    const printed = run("npx liqe data describe meta_info_KonIQ10kDataset.csv");
    const command = /npx liqe train [^\n]*/.exec(printed)?.[0] ?? "";
    run(command);
    expect(existsSync(join(cwd, "checkpoints", /run=(\S+)/.exec(command)?.[1] ?? "", "split-1", "results.json"))).toBe(
      true,
    );
  });

  it("docs/inference.md loads an export in Node as it says", () => {
    rmSync(join(cwd, "export"), { recursive: true, force: true });
    run("npx liqe export --checkpoint checkpoints/quickstart --format tfjs --dtype f16 --out export");
    const page = readFileSync(join(PACKAGE_ROOT, "docs", "inference.md"), "utf8");
    const snippet = /```js\n(import \{ readFile \}[^]*?)\n```/.exec(page)?.[1] ?? "";
    const library = pathToFileURL(join(PACKAGE_ROOT, "dist", "inference", "index.js")).href;
    const backend = pathToFileURL(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm")).href;
    const program = `
      import ${JSON.stringify(backend)};
      import { Liqe } from ${JSON.stringify(library)};
      ${snippet}
      const { quality } = await liqe.score({ width: 240, height: 230, data: new Uint8Array(240 * 230 * 3).fill(99) });
      console.log(quality >= 1 && quality <= 5);`;
    writeFileSync(join(cwd, "inference.mjs"), program);
    expect(snippet).toContain("await Liqe.load(");
    const { stdout, stderr } = spawnSync(process.execPath, ["inference.mjs"], { cwd, encoding: "utf8" });
    expect([stdout, stderr]).toEqual(["true\n", ""]);
  });
});
