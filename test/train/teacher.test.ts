import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import path, { join } from "node:path";
import { describe, expect, it } from "vitest";
import { predict } from "../../src/api/predict.js";
import { planTraining } from "../../src/api/train/dryRun.js";
import { train } from "../../src/api/train/train.js";
import { CheckpointError, ConfigError, DataError } from "../../src/base/errors.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { teacherCheck, teacherOf } from "../../src/api/train/teacher.js";
import { type Reporter, SILENT } from "../../src/base/types.js";
import { DataConfig } from "../../src/data/config.js";
import { startLoader } from "../../src/data/loader/loader.js";
import { openDatabases } from "../../src/data/openDatabases.js";
import type { Database } from "../../src/data/sample.js";
import { parseSeen, recordSeen } from "../../src/train/checkpoint/seen.js";
import { RunConfig } from "../../src/train/runConfig.js";
import { type Teacher, teachDatabases, type TeachOptions } from "../../src/train/teacher.js";
import { evaluate } from "../../src/api/evaluate/evaluate.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";

const NAMES = ["astronaut", "chelsea", "coffee", "hubble", "raccoon", "rocket"];
const root = await toyDatabase();
const weights = await toyWeights();
const photos = join(root, "photos");
mkdirSync(photos);
for (const name of NAMES) cpSync(join(PACKAGE_ROOT, "examples", "photos", `${name}.jpg`), join(photos, `${name}.jpg`));

const UNLABELED = { name: "photos", photos, imagesPerStep: 4 };
const TOYS = { name: "toys", imagesPerStep: 4 };

/** Share of the second distortion that the fake teacher tells of a photograph: another one of each. */
const distortedShare = (file: string) => 0.25 + NAMES.indexOf(path.basename(file, ".jpg")) / 8;

/** Qualities by the names' order, 1.5, 2, 2.5 and so on, and probabilities of two of the tasks. */
function fakeTeacher({ key = "one", isOfLevels = true, asked = [] as string[], lowest = 1.5 } = {}): Teacher {
  return {
    key,
    isOfLevels,
    score: async function* (images) {
      for (const { file } of images) {
        asked.push(path.basename(file));
        const quality = lowest + NAMES.indexOf(path.basename(file, ".jpg")) / 2;
        const share = distortedShare(file);
        const distortion = [1 - share, share, ...Array<number>(9).fill(0)];
        const probabilities = { quality: [0.5, 0.5, 0, 0, 0], scene: [], distortion };
        yield await Promise.resolve({ file, score: { quality, deviation: 0.5, probabilities } });
      }
    },
    close: () => undefined,
  };
}

async function opened(entry: object = {}) {
  return openDatabases(DataConfig.parse({ root, databases: [{ ...UNLABELED, ...entry }] }), 1);
}

const teaching = (folder: string | null, teacher: Teacher, isBegun = false): TeachOptions => ({
  ...{ folder, isBegun, levels: 5, stallSeconds: 60, reporter: SILENT },
  open: () => Promise.resolve(teacher),
  needs: { deviationRemedies: [], scaled: null, fewestImages: 2 },
});

/** Databases that are taught. */
async function taughtBy(...given: Parameters<typeof teachDatabases>): Promise<readonly Database[]> {
  return (await teachDatabases(...given)).databases;
}

describe("photographs without scores", () => {
  it("are a folder's images, a text of names, or the column image of CSV", async () => {
    const [folder] = await opened();
    expect(folder?.photos?.map(({ image }) => image)).toEqual(NAMES.map((name) => `${name}.jpg`));
    const [text, csv] = [join(photos, "names.txt"), join(photos, "names.csv")];
    writeFileSync(text, "coffee.jpg\n\nhubble.jpg\n");
    writeFileSync(csv, "note,image\nx,coffee.jpg\ny,hubble.jpg\n");
    for (const list of [text, csv]) {
      const [database] = await opened({ photos: list, imagesPerStep: 2 });
      expect(database?.photos?.map(({ image }) => image)).toEqual(["coffee.jpg", "hubble.jpg"]);
    }
    writeFileSync(text, "coffee.jpg\n../hubble.jpg\n./coffee.jpg\n");
    const refused = opened({ photos: text });
    await expect(refused).rejects.toThrow('names.txt:2: the path "../hubble.jpg" leaves');
    await expect(refused).rejects.toThrow("names.txt:3: ./coffee.jpg stands in line 1 already");
    await expect(opened({ photos: join(photos, "nowhere") })).rejects.toThrow("there is no");
  });

  it("have lists of scores as other databases do: deviations of their own or published ones, times mosStdFactor", async () => {
    const folder = temporaryFolder();
    cpSync(photos, folder, { recursive: true });
    mkdirSync(join(folder, "splits2"));
    writeFileSync(join(folder, "splits2", `${path.basename(folder)}_all.txt`), "rocket.jpg\t70\t0.6\n");
    writeFileSync(join(folder, "val.csv"), "image,mos,mos_std\ncoffee.jpg,60,0.4\n");
    writeFileSync(join(folder, "test.csv"), "image,mos\nrocket.jpg,70\n");
    const [database] = await opened({ photos: folder, val: "val.csv", test: "test.csv", mosStdFactor: 25 });
    expect(database?.val.map(({ image, mosStd }) => [image, mosStd])).toEqual([["coffee.jpg", 10]]);
    expect(database?.test.map(({ image, mosStd }) => [image, mosStd])).toEqual([["rocket.jpg", 15]]);
  });
});

describe("teachDatabases", () => {
  it("scores each photograph once: again in the same folder asks nothing, a new one asks for that alone", async () => {
    const [folder, asked] = [temporaryFolder(), [] as string[]];
    const databases = await opened();
    const [first] = await taughtBy(databases, teaching(folder, fakeTeacher({ asked })));
    expect(asked).toHaveLength(6);
    expect(first?.train.map(({ mos }) => mos)).toEqual([1.5, 2, 2.5, 3, 3.5, 4]);
    expect(first?.taught).toMatchObject({ mosLowest: 1, mosSpan: 4, perLevel: 1 });
    const [again] = await taughtBy(databases, teaching(folder, fakeTeacher({ asked })));
    expect(asked).toHaveLength(6);
    expect(again).toEqual(first);
  });

  it("scores a photograph anew whose line was cut off, wherever, and leaves the file of an undisturbed run", async () => {
    const [folder, asked] = [temporaryFolder(), [] as string[]];
    const file = join(folder, "teacher.jsonl");
    const databases = await opened();
    const first = await taughtBy(databases, teaching(folder, fakeTeacher()));
    const whole = readFileSync(file, "utf8");
    const lines = whole.split("\n"); // the header, six scores, and nothing behind the last line's end
    const wholeLines = (count: number) => lines.slice(0, count).join("\n").length + 1;
    for (const { cut, again } of [
      { cut: wholeLines(5) + 90, again: 2 }, // in the last line but one, which was being written
      { cut: whole.length - 1, again: 1 }, // before the end of the last line alone
      { cut: wholeLines(4), again: 3 }, // between two lines
      { cut: 20, again: 6 }, // in the header
    ]) {
      writeFileSync(file, whole.slice(0, cut));
      asked.length = 0;
      expect(await taughtBy(databases, teaching(folder, fakeTeacher({ asked })))).toEqual(first);
      expect(asked).toHaveLength(again);
      expect(readFileSync(file, "utf8")).toBe(whole);
      expect(await taughtBy(databases, teaching(folder, fakeTeacher({ asked }), true))).toEqual(first);
      expect(asked).toHaveLength(again); // a run that began with these scores needs no teacher
    }
  });

  it("asks other weights anew before a run has begun, and never after", async () => {
    const [folder, asked] = [temporaryFolder(), [] as string[]];
    const databases = await opened();
    const [first] = await taughtBy(databases, teaching(folder, fakeTeacher()));
    const other = fakeTeacher({ key: "two", asked, lowest: 2 });
    expect(await taughtBy(databases, teaching(folder, other, true))).toEqual([first]);
    expect(asked).toHaveLength(0);
    const [second] = await taughtBy(databases, teaching(folder, other));
    expect(asked).toHaveLength(6);
    expect(second?.train.map(({ mos }) => mos)).toEqual([2, 2.5, 3, 3.5, 4, 4.5]);
    expect(await taughtBy(databases, teaching(folder, fakeTeacher(), true))).toEqual([second]); // the first are gone
  });

  it("refuses a photograph that changed since the run began, by name", async () => {
    const folder = temporaryFolder();
    const copy = temporaryFolder();
    cpSync(photos, copy, { recursive: true });
    const databases = await opened({ photos: copy });
    await taughtBy(databases, teaching(folder, fakeTeacher()));
    appendFileSync(join(copy, "coffee.jpg"), "x");
    const refused = taughtBy(databases, teaching(folder, fakeTeacher(), true));
    await expect(refused).rejects.toThrow(DataError);
    await expect(refused).rejects.toThrow(/1 photograph not scored .*or changed since[^]*coffee\.jpg/);
  });

  it("hashes each photograph once, also for the record of what the run has seen", async () => {
    let hashed = 0;
    const progress: Reporter["progress"] = ({ label }) => {
      if (label === "images' checksums") hashed++;
    };
    const own = teaching(null, fakeTeacher());
    const { databases, hashes } = await teachDatabases(await opened(), { ...own, reporter: { ...SILENT, progress } });
    const options = { stallSeconds: 60, report: progress };
    const record = await recordSeen(databases, null, { ...options, known: hashes });
    expect(hashed).toBe(6);
    expect(record.training).toHaveLength(6);
    expect(record).toEqual(await recordSeen(databases, null, options));
  });

  it("aligns scores of another scale with the levels, lowest to highest, and refuses scores that are all the same", async () => {
    const [taught] = await taughtBy(await opened(), teaching(null, fakeTeacher({ isOfLevels: false })));
    expect(taught?.taught).toMatchObject({ mosLowest: 1.5, mosSpan: 2.5, perLevel: 2.5 / 4 });
    const one = join(photos, "one.txt");
    writeFileSync(one, "coffee.jpg\n");
    const alone = await opened({ photos: one, imagesPerStep: 2 });
    const teacher = fakeTeacher({ isOfLevels: false });
    await expect(taughtBy(alone, teaching(null, teacher))).rejects.toThrow("scores all photographs 2.5");
  });

  it("gives batches the teacher's probabilities, image by image, and none to labeled ones", async () => {
    const config = DataConfig.parse({ root, databases: [TOYS, UNLABELED] });
    const databases = await taughtBy(await openDatabases(config, 1), teaching(null, fakeTeacher()));
    const images = { ...config, window: 224 };
    const loader = startLoader(databases, { seed: 1, cropsPerImage: 1, stepsPerEpoch: 5, scenes: 9, images });
    const { soft, files, databases: blocks } = await loader.get(0, 0);
    loader.close();
    const shares = files.slice(4).map(distortedShare);
    expect(new Set(shares).size).toBe(4);
    expect(soft.map((one) => one?.distortion[1] ?? null)).toEqual([null, null, null, null, ...shares]);
    expect(blocks.map(({ perLevel }) => perLevel)).toEqual([undefined, 1]);
  });
});

const sum = (folder: string, file: string) =>
  createHash("sha256")
    .update(readFileSync(join(folder, file)))
    .digest("hex");

const PROMPTS = { template: "a photo with {distortion} artifacts, which is of {quality} quality" };
const STEPS = { epochs: 2, stepsPerEpoch: 3, cropsPerImage: 1, learningRate: 1e-3, saveEverySteps: 2 };

interface Sections {
  readonly databases?: readonly object[];
  readonly losses?: object;
  readonly prompts?: object;
}

const configOf = (teacher: string | null, { databases = [TOYS, UNLABELED], ...sections }: Sections = {}) => ({
  run: "student",
  ...{ model: { weights }, data: { root, databases }, prompts: PROMPTS, evaluate: { crops: 1, validationCrops: 1 } },
  train: { ...STEPS, ...(teacher === null ? {} : { teacher }) },
  ...sections,
});

/** A file of scores of all photographs. */
function scoresFile(names = NAMES, header = "image,quality"): string {
  const file = join(temporaryFolder(), "scores.csv");
  writeFileSync(file, `${header}\n${names.map((name, i) => `somewhere/${name}.jpg,${10 * i}\n`).join("")}`);
  return file;
}

async function stopAfter(steps: number, config: object, out: string): Promise<void> {
  const stop = new AbortController();
  let taken = 0;
  const onMetrics = ({ kind }: { readonly kind: string }) => {
    if (kind === "step" && ++taken === steps) stop.abort();
  };
  await train(config as Readonly<Record<string, unknown>>, { out, onMetrics, signal: stop.signal });
}

describe("teacherCheck", () => {
  const runOf = (teacher: string, sections: Sections) => RunConfig.parse(configOf(teacher, sections));

  it("asks a file of scores for deviations by losses of levels alone: pairs of photographs have no use for them", async () => {
    const databases = await opened();
    const check = teacherCheck(SILENT);
    const thurstone = { target: "thurstone", pairWeight: "deviation" };
    const pairs = runOf(scoresFile(), { databases: [UNLABELED], losses: thurstone });
    await expect(check(pairs, databases)).resolves.toBeUndefined();
    const taught = await teacherOf(pairs, SILENT)(databases, { folder: null, isBegun: false });
    expect(taught.databases[0]?.train.map(({ mos, mosStd }) => [mos, mosStd])).toEqual(NAMES.map((_, i) => [10 * i, null])); // prettier-ignore
    const levels = runOf(scoresFile(), { databases: [UNLABELED], losses: { quality: "kl" } });
    await expect(check(levels, databases)).rejects.toThrow("photos: 6 of 6 training images have no deviation");
  });

  it("opens a teacher once for all splits of a config, and again for another one", async () => {
    const databases = await opened();
    const check = teacherCheck(SILENT);
    const teacher = await toyWeights();
    const config = runOf(teacher, { databases: [UNLABELED] });
    await check(config, databases);
    rmSync(teacher);
    await expect(check(config, databases)).resolves.toBeUndefined();
    const other = { ...config, prompts: { ...config.prompts, template: "a photo of {quality} quality" } };
    await expect(check(other, databases)).rejects.toThrow(CheckpointError);
  });
});

describe("train.teacher", () => {
  it("trains by a run's scores, resumes bit for bit without the teacher, and inherits what it has seen", async () => {
    const teacher = await train(configOf(null, { databases: [TOYS] }), { out: temporaryFolder() });
    const config = configOf(teacher.folder, { databases: [UNLABELED] });
    const plan = await planTraining(config);
    expect(plan).toContain("photos: 6 to train on by the teacher's scores (4 a step)");
    expect(plan).toContain(`teacher      ${teacher.folder}: scores 6 photographs once, before the first step`);
    const whole = await train(config, { out: temporaryFolder() });
    const split = join(whole.folder, "split-1");
    const lines = readFileSync(join(split, "metrics.jsonl"), "utf8").split("\n");
    const scored = readFileSync(join(split, "teacher.jsonl"), "utf8").trimEnd().split("\n").slice(1);
    const qualities = scored.map((line) => (JSON.parse(line) as { quality: number }).quality);
    const predicted: number[] = [];
    for await (const one of predict(photos, { checkpoint: teacher.folder, crops: 1 })) {
      if ("quality" in one) predicted.push(one.quality);
    }
    expect(qualities.toSorted()).toBeAllClose(predicted.toSorted(), { rtol: 0, atol: 1e-4 }); // of other batches
    const [step] = lines.map((line) => JSON.parse(line || "{}") as { losses: Record<string, number> });
    expect(step?.losses["distortion"]).toBeGreaterThan(0); // its probabilities are learned from
    const seen = parseSeen("seen.json", JSON.parse(readFileSync(join(split, "last", "seen.json"), "utf8")));
    const paths = seen.training.map(({ path: image }) => image);
    expect(paths).toContain("toys/train0.png");
    expect(paths).toContain("photos/coffee.jpg");
    expect(seen.validation.map(({ path: image }) => image)).toContain("toys/val0.png");
    const list = join(root, "toys", "splits2", "1", "toys_train_clip.txt");
    await expect(evaluate(split, { list, images: join(root, "toys") })).rejects.toThrow(
      "12 of 12 images were trained on",
    );
    const out = temporaryFolder();
    await stopAfter(4, config, out);
    const scores = sum(join(out, "split-1"), "teacher.jsonl");
    rmSync(teacher.folder, { recursive: true });
    const planned = await planTraining({ resume: out });
    expect(planned).toContain(`teacher      ${teacher.folder}: its scores of 6 photographs are kept\n`);
    expect(planned).toContain("; 4 are done");
    const resumed = await train({ resume: out });
    expect(resumed.state).toBe("finished");
    expect(sum(join(out, "split-1"), "teacher.jsonl")).toBe(scores);
    for (const file of ["last/model.safetensors", "last/optimizer.safetensors"])
      expect(sum(join(out, "split-1"), file)).toBe(sum(split, file));
  });

  it.each(["fidelity", "bradley-terry", "huber", "plcc", "kl"] as const)(
    "trains by a weight file beside labeled images, quality by %s",
    async (quality) => {
      const folder = join(root, "toys");
      const rows = Array.from({ length: 12 }, (_, i) => `train${i}.png,${i},1\n`).join("");
      writeFileSync(join(folder, "scored.csv"), `image,mos,mos_std\n${rows}`);
      const scored = { ...TOYS, train: "scored.csv", val: "scored.csv", test: "scored.csv" };
      const config = configOf(weights, { databases: [scored, UNLABELED], losses: { quality } });
      const { folder: run, state } = await train({ ...config, data: { ...config.data, onFindings: "warn" } }, { out: temporaryFolder() }); // prettier-ignore
      expect(state).toBe("finished");
      expect(readFileSync(join(run, "split-1", "teacher.jsonl"), "utf8").split("\n")).toHaveLength(1 + 6 + 1);
    },
  );

  it("takes any model's scores from a file, and names the photographs that it does not have", async () => {
    const run = await train(configOf(scoresFile()), { out: temporaryFolder() });
    expect(run.state).toBe("finished");
    const missing = train(configOf(scoresFile(NAMES.slice(0, 5))), { out: temporaryFolder() });
    await expect(missing).rejects.toThrow(DataError);
    await expect(missing).rejects.toThrow(/1 photograph without a score\n.*rocket\.jpg has no score in/);
    const kl = train(configOf(scoresFile(), { databases: [UNLABELED], losses: { quality: "kl" } }), { out: temporaryFolder() }); // prettier-ignore
    await expect(kl).rejects.toThrow(DataError);
    await expect(kl).rejects.toThrow("photos: 6 of 6 training images have no deviation of the MOS");
  });

  it("refuses a teacher that is not there, or has other levels, and configs that lack one half", async () => {
    const trained = (config: object) => train(config as Readonly<Record<string, unknown>>, { out: temporaryFolder() });
    await expect(trained(configOf("nowhere.safetensors"))).rejects.toThrow(CheckpointError);
    const three = { ...PROMPTS, qualities: ["bad", "fair", "good"] };
    const teacher = await trained(configOf(null, { databases: [TOYS], prompts: three }));
    await expect(trained(configOf(teacher.folder))).rejects.toThrow(
      "its prompts have other quality levels than the run's",
    );
    for (const [config, message] of [
      [configOf(null), "train.teacher: is missing; it scores the databases' photos"],
      [
        configOf(weights, { databases: [TOYS] }),
        "train.teacher: scores the photos of a database, and no database has photos",
      ],
      [
        { ...configOf(weights), train: { ...STEPS, teacher: weights, images: 3 } },
        "train.images: must be null with a database of pairs or photos",
      ],
      [
        configOf(weights, { databases: [{ ...UNLABELED, train: "x.csv" }] }),
        "data.databases.0.train: does not go with photos",
      ],
      [
        configOf(weights, { prompts: { template: "a photo with {distortion} artifacts" } }),
        "train.teacher: needs {quality}",
      ],
    ] as const) {
      // prettier-ignore
      const refused = trained(config);
      await expect(refused).rejects.toThrow(ConfigError);
      await expect(refused).rejects.toThrow(message);
    }
  });
});
