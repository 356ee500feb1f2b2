// `node scripts/mutants.mjs [NAME...]`: wrong programs, each of which some test has to refuse. Applies one after the
// other to a copy of the tree, runs the test files that stand beside it, and says which of them survived. `--check` only
// looks whether each can be applied, which `test/project/mutants.test.ts` does.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ROOT } from "./steps.mjs";

const CHARTS = "test/evaluate/report/charts.test.ts";
const TYPES = "test/data/databases/published.test.ts";

/** Each: what is wrong, the file, its text once in it, the wrong text, and the tests that have to fail. */
const MUTANTS = [
  {
    name: "intervals keep the bias of their measure",
    file: "src/evaluate/statistics/bootstrap.ts",
    from: "normalBelow(2 * bias + z)",
    to: "normalBelow(z)",
    tests: ["test/evaluate/statistics/bootstrap.test.ts"],
  },
  {
    name: "the noise ceiling takes single opinions for scores",
    file: "src/evaluate/metrics/noiseCeiling.ts",
    from: "1 / Math.sqrt(opinions ?? 1)",
    to: "1",
    tests: ["test/evaluate/metrics/noiseCeiling.test.ts"],
  },
  {
    name: "clipNorm is ignored in trainStep",
    file: "src/train/step.ts",
    from: "clipFactor(norm, context.clipNorm)",
    to: "clipFactor(norm, null)",
    tests: ["test/train/step.test.ts"],
  },
  {
    name: "the moving average has no warm-up",
    file: "src/train/optimizer/ema.ts",
    from: "1 - Math.min(this.decay, (1 + step) / (10 + step))",
    to: "1 - Math.min(this.decay, 1 + step)",
    tests: ["test/train/optimizer/ema.test.ts"],
  },
  {
    name: "validation's average is SRCC alone",
    file: "src/train/validate.ts",
    from: "average: mean([...means, pairs])",
    to: "average: means[0] ?? null",
    tests: ["test/train/validate.test.ts"],
  },
  {
    name: "people's pairs have the share of the second image",
    file: "src/losses/pairs.ts",
    from: "return shares.map((target, k) => ({ i: start + 2 * k, j: start + 2 * k + 1, target, weight: 1 }));",
    to: "return shares.map((share, k) => ({ i: start + 2 * k, j: start + 2 * k + 1, target: 1 - share, weight: 1 }));",
    tests: ["test/losses/pairs.test.ts", "test/losses/scoreLosses.test.ts"],
  },
  {
    name: "validation's scene accuracy comes from distortion hits",
    file: "src/train/validate.ts",
    from: "accuracy(predictions.map((prediction) => sceneHits(prediction, labels.scenes)))",
    to: "accuracy(predictions.map(distortionHits))",
    tests: ["test/train/validate.test.ts"],
  },
  {
    name: "a file is not synced before it gets its name",
    file: "src/base/files.ts",
    from: "handle.writeFile(contents));\n    await handle.sync();",
    to: "handle.writeFile(contents));",
    tests: ["test/base/files.test.ts"],
  },
  {
    name: "a folder is not synced after a rename",
    file: "src/base/files.ts",
    from: "  await syncFolder(path.dirname(file));",
    to: "",
    tests: ["test/base/files.test.ts"],
  },
  {
    name: "nothing gets its turn between two steps",
    file: "src/train/trainer.ts",
    from: "    await setImmediate();",
    to: "    ",
    tests: ["test/train/trainer.test.ts"],
  },
  {
    name: "TensorBoard's gradient norm is the loss",
    file: "src/train/logs/runLogs.ts",
    from: '"train/gradient_norm": gradientNorm',
    to: '"train/gradient_norm": loss + 0 * gradientNorm',
    tests: ["test/train/logs/runLogs.test.ts"],
  },
  {
    name: "the published SRCC of BID is .775",
    file: "src/data/databases/bid.ts",
    from: "srcc: 0.875",
    to: "srcc: 0.775",
    tests: [TYPES],
  },
  {
    name: "KADID's types 13 and 14 are swapped",
    file: "src/data/databases/kadid10k.ts",
    from: "12, 13, 14, 15",
    to: "12, 14, 13, 15",
    tests: [TYPES],
  },
  {
    name: "TID2013's JPEG and JPEG 2000 are swapped",
    file: "src/data/databases/tid2013.ts",
    from: '  "jpeg compression",\n  "jpeg2000 compression",\n',
    to: '  "jpeg2000 compression",\n  "jpeg compression",\n',
    tests: [TYPES],
  },
  {
    name: "TID2013's mean shift and contrast are swapped",
    file: "src/data/databases/tid2013.ts",
    from: '  "shifting the mean",\n  "contrast",\n',
    to: '  "contrast",\n  "shifting the mean",\n',
    tests: [TYPES],
  },
  {
    name: "the scatter's points have their coordinates swapped",
    file: "src/evaluate/report/databaseCharts.ts",
    from: "({ quality, mos }) => [quality, mos]",
    to: "({ quality, mos }) => [mos, quality]",
    tests: [CHARTS],
  },
  {
    name: "the scatter's axes have each other's names",
    file: "src/evaluate/report/databaseCharts.ts",
    from: `xAxis: axis("predicted quality", { scale: true }),
      yAxis: axis("mean opinion score", {`,
    to: `xAxis: axis("mean opinion score", { scale: true }),
      yAxis: axis("predicted quality", {`,
    tests: [CHARTS],
  },
  {
    name: "the curves of the tasks' weights draw their losses",
    file: "src/evaluate/report/training.ts",
    from: "({ weights }) => weights[task]",
    to: "({ losses }) => losses[task]",
    tests: [CHARTS],
  },
  {
    name: "the report's windows have each other's scores, in reverse order",
    file: "src/evaluate/report/extremeImages.ts",
    from: "scores.map(({ top, left, quality }) => {",
    to: "scores.map(({ top, left }, i) => {\n    const quality = scores.at(-1 - i)?.quality ?? NaN;",
    tests: [CHARTS],
  },
  {
    name: "the report's list of window scores is reversed",
    file: "src/evaluate/report/extremeImages.ts",
    from: 'scores.map(({ quality }) => quality.toFixed(2)).join(", ")',
    to: 'scores.map(({ quality }) => quality.toFixed(2)).reverse().join(", ")',
    tests: [CHARTS],
  },
  {
    name: "the report's worst images are the best",
    file: "src/evaluate/report/extremeImages.ts",
    from: "b.distance - a.distance",
    to: "a.distance - b.distance",
    tests: ["test/evaluate/report/reportPage.test.ts"],
  },
  {
    name: "the pooled SRCC is computed by another protocol",
    file: "src/evaluate/results/databaseResults.ts",
    from: "fitMapping(PROTOCOLS.liqe, mos, ",
    to: "fitMapping(PROTOCOLS.logistic5, mos, ",
    tests: ["test/evaluate/evaluate.test.ts"],
  },
  {
    name: "near copies correlate by .3",
    file: "src/data/images/look.ts",
    from: "NEAR_CORRELATION = 0.95",
    to: "NEAR_CORRELATION = 0.3",
    tests: ["test/data/audit/duplicates.test.ts"],
  },
  {
    name: "an export's manifest reduces images to 512",
    file: "src/export/describeExport.ts",
    from: "reduceShorterSideTo: MAX_SHORTER_SIDE",
    to: "reduceShorterSideTo: 0 * MAX_SHORTER_SIDE + 512",
    tests: ["test/export/exportModel.test.ts"],
  },
  {
    name: "IQA-PyTorch's weights have another prefix",
    file: "src/export/openaiFormat.ts",
    from: 'PYIQA_PREFIX = "clip_model."',
    to: 'PYIQA_PREFIX = "model."',
    tests: ["test/export/openai.test.ts"],
  },
  {
    name: "the README's Python draws other golden images",
    file: "src/export/notes.ts",
    from: "h = (h ^ (h >> 13))",
    to: "h = (h ^ (h >> 12))",
    tests: ["test/export/goldenPython.test.ts"],
  },
  {
    name: "SigLIP's norms have CLIP's constant",
    file: "src/model/layers.ts",
    from: "export const SIGLIP_EPSILON = 1e-6",
    to: "export const SIGLIP_EPSILON = 1e-5",
    tests: ["test/model/encoderKinds.test.ts"],
  },
  {
    name: "SigLIP's activation is the exact GELU",
    file: "src/model/layers.ts",
    from: '"gelu-tanh": geluTanhOp,',
    to: '"gelu-tanh": geluOp,',
    tests: ["test/model/encoderKinds.test.ts"],
  },
];

/** Tracked files and new ones that git does not ignore, as they are, with this checkout's packages. */
function copyTree(folder) {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: ROOT });
  for (const file of listed.toString().split("\0").filter(Boolean)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(ROOT, file), join(folder, file));
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
}

/** True where all tests of these files pass. */
function passes(folder, tests) {
  const vitest = join(folder, "node_modules", "vitest", "vitest.mjs");
  const { status, stdout } = spawnSync(process.execPath, [vitest, "run", "--bail=1", ...tests], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  // A mutant that does not load is no answer to whether a test sees it
  if (status !== 0 && !/Tests .*\d+ failed/.test(stdout)) {
    throw new Error(`${tests.join(" ")}: no test failed, and yet vitest did:\n${stdout.slice(-2000)}`);
  }
  return status === 0;
}

/** True where its tests refuse the wrong program. */
function isKilled(folder, { file, from, to, tests }) {
  const path = join(folder, file);
  const text = readFileSync(path, "utf8");
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  try {
    return !passes(folder, tests);
  } finally {
    writeFileSync(path, text);
  }
}

/** Problems of mutants in words: their text has to stand in its file once, and their tests have to be there. */
function problemsOf({ name, file, from, tests }) {
  const found = readFileSync(join(ROOT, file), "utf8").split(from).length - 1;
  return [
    ...(found === 1 ? [] : [`${name}: ${file}: "${from}" stands in it ${found} times, and has to stand once`]),
    ...tests.filter((test) => !existsSync(join(ROOT, test))).map((test) => `${name}: there is no ${test}`),
  ];
}

const problems = MUTANTS.flatMap(problemsOf);
if (problems.length > 0) throw new Error(problems.join("\n"));
const wanted = process.argv.slice(2);
if (wanted.includes("--check")) process.exit();
const mutants = MUTANTS.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
const folder = mkdtempSync(join(tmpdir(), "liqe-mutants-"));
try {
  copyTree(folder);
  const tests = [...new Set(mutants.flatMap((mutant) => mutant.tests))];
  if (!passes(folder, tests)) throw new Error(`the program as it is does not pass ${tests.join(" ")}`);
  const survivors = mutants.filter((mutant) => {
    const killed = isKilled(folder, mutant);
    console.log(`${killed ? "killed  " : "SURVIVED"}  ${mutant.name}  (${mutant.tests.join(", ")})`);
    return !killed;
  });
  console.log(`${mutants.length - survivors.length} of ${mutants.length} killed`);
  process.exitCode = survivors.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
