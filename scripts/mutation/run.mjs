// `npm run test:mutation -- [--share .05] [--seed 1] [--folder src/losses] [--out coverage/mutation]`: what share of
// small wrong changes the tests of `npm test` refuse. A seeded sample of each folder's sites sleeps in one copy of the
// tree; one run of all tests tells which test files reach which site; then each is awake alone, before those files alone,
// the nearest and quickest first, until one fails. What has an answer is kept in `results.jsonl`: the same call goes on,
// and the table counts what has one.
import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { clearTimeout, setTimeout } from "node:timers";
import { parseArgs } from "node:util";
import ts from "typescript";
import { ROOT } from "../steps.mjs";
import { instrument } from "./instrument.mjs";
import { sitesOf } from "./mutators.mjs";

/** Folders whose sites are drawn, each by itself. */
const FOLDERS = [
  "src/losses",
  "src/evaluate",
  "src/train",
  "src/model",
  "src/data/lists",
  "src/data/images",
  "src/data/archives",
];

/** Seconds of tests that one mutant is given at most, by what they took without it. */
const MOST_SECONDS = 150;

/** Seconds of tests in one start of vitest. */
const CHUNK_SECONDS = 20;

const { values } = parseArgs({
  options: {
    share: { type: "string", default: "0.05" },
    seed: { type: "string", default: "1" },
    folder: { type: "string", multiple: true, default: FOLDERS },
    out: { type: "string", default: "coverage/mutation" },
  },
});
const out = resolve(values.out);
const tree = join(out, "tree");
const files = { sites: join(out, "sites.json"), tests: join(out, "tests.json"), results: join(out, "results.jsonl") };

if (!existsSync(files.sites)) prepare();
const sites = readJson(files.sites);
if (!existsSync(files.tests)) await record();
const tests = readJson(files.tests);
const done = existsSync(files.results) ? readLines(files.results) : [];
const isDone = new Set(done.map(({ id }) => id));
// In one drawn order over all folders, so that a run that was ended early is a sample too
for (const site of shuffled(sites, randomOf(Number(values.seed))).filter(({ id }) => !isDone.has(id))) {
  const result = { id: site.id, ...(await verdictOn(site)) };
  done.push(result);
  appendFileSync(files.results, `${JSON.stringify(result)}\n`);
  console.log(
    `${result.verdict.padEnd(10)} ${site.file}:${site.line} ${site.mutator} ${oneLine(site)} ${result.by ?? ""}`,
  );
}
printTable();

/** Draws sites, and writes the tree in which they sleep, compiled too for the programs that tests start. */
function prepare() {
  copyTree();
  const random = randomOf(Number(values.seed));
  const drawn = [];
  const checker = compilerOf();
  for (const folder of values.folder) {
    const all = sourcesOf(folder).flatMap((file) =>
      sitesOf(file, readFileSync(join(ROOT, file), "utf8")).map((site) => ({ ...site, file, folder })),
    );
    const wanted = Math.ceil(all.length * Number(values.share));
    let refused = 0;
    const chosen = [];
    for (const site of shuffled(all, random)) {
      if (chosen.length === wanted) break;
      if (checker.accepts(site)) chosen.push(site);
      else refused++;
    }
    console.log(`${folder}: ${all.length} sites, ${chosen.length} drawn, ${refused} more that the compiler refuses`);
    drawn.push(...chosen.map((site) => ({ ...site, of: all.length, refused })));
  }
  const numbered = drawn.map((site, id) => ({ id, ...site }));
  for (const file of new Set(numbered.map(({ file }) => file))) {
    const here = numbered.filter((site) => site.file === file);
    writeFileSync(join(tree, file), instrument(readFileSync(join(ROOT, file), "utf8"), here));
  }
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--noCheck"], {
    cwd: tree,
  });
  mkdirSync(join(tree, "dist/engine/binding"), { recursive: true });
  cpSync(join(tree, "src/engine/binding/engine.cc"), join(tree, "dist/engine/binding/engine.cc"));
  const setup = join(tree, "test/support/setup.ts");
  writeFileSync(setup, `${readFileSync(setup, "utf8")}\nprocess.env["MUTANT_TEST"] = expect.getState().testPath;\n`);
  writeFileSync(files.sites, JSON.stringify(numbered));
}

/** One run of all tests, all asleep: seconds of each file that passes, and the sites that it reaches. */
async function record() {
  const hits = join(out, "hits");
  mkdirSync(hits, { recursive: true });
  const report = join(out, "report.json");
  const args = ["--reporter=json", `--outputFile.json=${report}`];
  await vitest(args, { MUTANT_HITS: hits }, null);
  const reached = new Map();
  for (const name of readdirSync(hits)) {
    const [id, test] = name.split("@");
    const file = relative(tree, test.replaceAll("|", "/"));
    reached.set(file, [...(reached.get(file) ?? []), Number(id)]);
  }
  const all = readJson(report).testResults.map(({ name, status, startTime, endTime }) => {
    const file = relative(tree, name);
    return { file, status, seconds: (endTime - startTime) / 1000 + 1, sites: reached.get(file) ?? [] };
  });
  const failed = all.filter(({ status }) => status !== "passed");
  console.log(
    `${all.length} test files, of them left out as they fail asleep: ${failed.map(({ file }) => file).join(", ") || "none"}`,
  );
  writeFileSync(files.tests, JSON.stringify(all.filter(({ status }) => status === "passed")));
}

/** `killed` by a file's tests or `timeout`, `survived` all that reach it, or reached by none. */
async function verdictOn({ id, file }) {
  const reaching = byNearness(
    file,
    tests.filter((test) => test.sites.includes(id)),
  );
  if (reaching.length === 0) return { verdict: "unreached" };
  let spent = 0;
  for (let k = 0; k < reaching.length;) {
    const chunk = [reaching[k++]];
    while (k < reaching.length && sum(chunk) + reaching[k].seconds <= CHUNK_SECONDS) chunk.push(reaching[k++]);
    spent += sum(chunk);
    if (spent > MOST_SECONDS && chunk[0] !== reaching[0])
      return { verdict: "survived", left: reaching.length - k + chunk.length };
    const code = await vitest(
      ["--bail=1", ...chunk.map(({ file }) => file)],
      { MUTANT: String(id) },
      60 + 6 * sum(chunk),
    );
    if (code === null) return { verdict: "timeout" };
    if (code !== 0) return { verdict: "killed", by: chunk.map(({ file }) => file).join(" ") };
  }
  return { verdict: "survived" };
}

/** Tests of a source file first by how much of its path is theirs (`test/losses/fidelity` of `src/losses/fidelity`). */
function byNearness(file, reaching) {
  const parts = file.replace(/\.ts$/, "").split("/").slice(1);
  const shared = (test) => {
    const theirs = test.file
      .replace(/\.test\.ts$/, "")
      .split("/")
      .slice(1);
    const different = parts.findIndex((part, k) => part !== theirs[k]);
    return different === -1 ? parts.length : different;
  };
  return reaching.sort((a, b) => shared(b) - shared(a) || a.seconds - b.seconds);
}

function sum(chunk) {
  return chunk.reduce((total, { seconds }) => total + seconds, 0);
}

/** The exit code; null where the time was up. */
function vitest(args, environment, seconds) {
  const program = join(tree, "node_modules/vitest/vitest.mjs");
  const child = spawn(process.execPath, [program, "run", "--config", "vitest.quick.config.ts", ...args], {
    cwd: tree,
    env: { ...process.env, NO_COLOR: "1", ...environment },
    stdio: "ignore",
    detached: true, // with all that it started
  });
  return new Promise((settle, fail) => {
    let isLate = false;
    const late = () => {
      isLate = true;
      process.kill(-child.pid, "SIGKILL");
    };
    const timer = seconds === null ? undefined : setTimeout(late, seconds * 1000);
    child.on("error", fail);
    child.on("close", (code) => {
      clearTimeout(timer);
      settle(isLate ? null : (code ?? 1));
    });
  });
}

/** The whole program's types, with one file replaced at a time. */
function compilerOf() {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), (file) => ts.sys.readFile(file));
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const changed = { file: "", text: "", version: 0 };
  const host = {
    getScriptFileNames: () => fileNames.filter((file) => file.startsWith(join(ROOT, "src"))),
    getScriptVersion: (file) => (file === changed.file ? String(changed.version) : "0"),
    getScriptSnapshot: (file) => {
      if (file === changed.file) return ts.ScriptSnapshot.fromString(changed.text);
      return ts.sys.fileExists(file) ? ts.ScriptSnapshot.fromString(ts.sys.readFile(file)) : undefined;
    },
    getCurrentDirectory: () => ROOT,
    getCompilationSettings: () => options,
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    readDirectory: ts.sys.readDirectory,
  };
  const service = ts.createLanguageService(host, ts.createDocumentRegistry());
  return {
    accepts(site) {
      const text = readFileSync(join(ROOT, site.file), "utf8");
      const wrong = site.isBody ? "{}" : `(${site.wrong})`;
      Object.assign(changed, {
        file: join(ROOT, site.file),
        text: text.slice(0, site.start) + wrong + text.slice(site.end),
      });
      changed.version++;
      const problems = [
        ...service.getSyntacticDiagnostics(changed.file),
        ...service.getSemanticDiagnostics(changed.file),
      ];
      return problems.length === 0;
    },
  };
}

/** A line a folder: killed of those that were tried, with Wilson's 95 % interval. */
function printTable() {
  console.log("\nfolder | sites | drawn | tried | killed | timeout | survived | unreached | share killed");
  const byId = new Map(done.map((result) => [result.id, result]));
  for (const folder of [...values.folder, "all"]) {
    const drawn = sites.filter((site) => folder === "all" || site.folder === folder);
    const here = drawn.filter(({ id }) => byId.has(id));
    const count = (verdict) => here.filter(({ id }) => byId.get(id)?.verdict === verdict).length;
    const killed = count("killed") + count("timeout");
    const of = folder === "all" ? "" : drawn[0]?.of;
    const [low, high] = wilson(killed, here.length);
    const share = here.length === 0 ? "" : `${percent(killed / here.length)} (${percent(low)}-${percent(high)})`;
    const counts = [
      drawn.length,
      here.length,
      count("killed"),
      count("timeout"),
      count("survived"),
      count("unreached"),
    ];
    console.log([folder, of, ...counts, share].join(" | "));
  }
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function wilson(hits, n) {
  const z = 1.96;
  const middle = (hits + z ** 2 / 2) / (n + z ** 2);
  const half = (z / (n + z ** 2)) * Math.sqrt((hits * (n - hits)) / n + z ** 2 / 4);
  return [middle - half, middle + half];
}

function oneLine({ file, start, end, wrong, isBody }) {
  const was = readFileSync(join(ROOT, file), "utf8").slice(start, end);
  const short = (text) => JSON.stringify(text.replace(/\s+/g, " ").slice(0, 60));
  return isBody ? `${short(was)} left out` : `${short(was)} -> ${short(wrong)}`;
}

/** Tracked files and new ones that git does not ignore, with this checkout's packages. */
function copyTree() {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: ROOT });
  for (const file of listed.toString().split("\0").filter(Boolean)) {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    cpSync(join(ROOT, file), join(tree, file));
  }
  symlinkSync(join(ROOT, "node_modules"), join(tree, "node_modules"));
}

function sourcesOf(folder) {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name))
    .sort();
}

/** Numbers in [0, 1) by mulberry32. */
function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled(items, random) {
  const copy = [...items];
  for (let k = copy.length - 1; k > 0; k--) {
    const other = Math.floor(random() * (k + 1));
    [copy[k], copy[other]] = [copy[other], copy[k]];
  }
  return copy;
}

function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

function readLines(file) {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}
