import { readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkData } from "../../src/api/checkData.js";
import { parseConfig } from "../../src/api/config.js";
import { evaluate } from "../../src/api/evaluate/evaluate.js";
import { judgePredictions } from "../../src/api/evaluate/judge.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { exitCodeOf } from "../../src/cli/exitCodes.js";
import { readTable } from "../../src/data/lists/formats/readTable.js";
import { readList } from "../../src/data/lists/readList.js";
import { readWeights } from "../../src/model/weights/readWeights.js";
import { PUBLISHED_LABELS } from "../../src/model/prompts/labels.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";

const HOSTILE = "test/model/weights/hostile.test.ts";
const DECODE = "test/data/images/decode.test.ts";
const SYNTHESIS = "test/data/synthesis/synthesizeDatabase.test.ts";
const SERVE = "test/api/serve/serve.test.ts";
const LOCKFILE = "test/project/lockfile.test.ts";
const DEPENDENCIES = "test/project/dependencies.test.ts";
const RELEASE = "test/project/release.test.ts";
const ISOLATE = "test/cli/isolate.test.ts";
const HERE = "test/project/security.test.ts";

/** Words of each sentence of docs/security.md that promises something, and the test that fails where it is not so. */
const PROMISES: readonly (readonly [string, string, string])[] = [
  ["reads it without running one", HOSTILE, "that calls os.system is refused by name"],
  ["knows the opcodes that PyTorch writes", HOSTILE, "with an opcode that PyTorch does not write is refused"],
  ["A global is an inert tag", HOSTILE, "that calls builtins.eval is refused"],
  [
    "Anything else is refused by its name",
    HOSTILE,
    "that names a global with line breaks and control characters in it",
  ],
  ["classes are records without methods", HOSTILE, "that calls a TorchScript class is refused"],
  ["Items are set on dictionaries alone", HOSTILE, "that sets items of something else than a dict is refused"],
  ["Items are set on dictionaries alone", HOSTILE, "by a storage larger than its entry is refused"],
  ["the older tar form", HERE, "refuses a tar archive of weights"],
  ["so there is no zip bomb", HOSTILE, "with a compressed entry is refused before anything is unpacked"],
  ["so there is no zip bomb", HOSTILE, "with a flipped byte is refused by its checksum"],
  ["tensors have to tile the file", HOSTILE, "with a gap between tensors, or bytes after them, is refused"],
  ["a header is at most 10 MB", HERE, "refuses a safetensors header above 10 MB"],
  ["An index of weights in several files", "test/model/weights/shards.test.ts", "are refused where the index %s"],
  ["the manifest's sizes (layers", "test/inference/load.test.ts", "refuses a manifest with %s of %j before it reads"],
  ["The configs beside a weight file", "test/model/weights/encoderKind.test.ts", "a config of more than 4 MB"],
  ["The configs beside a weight file", "test/model/weights/encoderKind.test.ts", "another width than the tensors'"],
  ["Weights that are NaN or infinite", HOSTILE, "are refused, with their count and the first place"],
  ["Refused is exit code 4", HERE, "refuses a tar archive of weights"],
  ["`liqe weights fetch`", "test/model/weights/fetchWeights.test.ts", "throws away what has another checksum"],
  ["Of libvips' loaders only", DECODE, "leaves no loader of libvips open that it does not use"],
  ["BMP has a reader of its own", DECODE, "refuses the kinds of BMP it would misread"],
  ["What a file is, its bytes say", DECODE, "reads a file for what it is, whatever its name"],
  ["Every command reads its images so", SYNTHESIS, "refuses pictures of other kinds, damage, dangling links"],
  ["over 64 megapixels", DECODE, "refuses more megapixels than allowed, before decoding them"],
  ["over 64 megapixels", DECODE, "refuses a file of more than 512 MB unread"],
  ["`--small resize` enlarges nothing", "test/model/preprocess/resize.test.ts", "refuses to enlarge a strip"],
  ["A file that is cut off is an error", DECODE, "refuses a truncated JPEG, PNG and BMP by name"],
  ["Damage that PIL reads through", DECODE, "reads damage that PIL reads through, and says so"],
  ["A TIFF's colors, samples", DECODE, "of floating point samples"],
  ["A path in a list is relative", "test/data/lists/readList.test.ts", "refuses paths that leave the folder"],
  ["a file of predictions names outside", HERE, "opens no picture that a file of predictions names outside its folder"],
  ["Symbolic links that lie in the folder", HERE, "follows links out of a folder unless it is told not to"],
  ["For folders from strangers", HERE, "follows links out of a folder unless it is told not to"],
  ["For folders from strangers", "test/data/audit/fileChecks.test.ts", "refuses a link out of the database's folder"],
  ["A list has at most 64 KB a line", HERE, "refuses lists and lines that are too long"],
  ["A MOS is a finite", "test/data/lists/readList.test.ts", "names every problem of a file at once"],
  ["duplicate keys are refused", HERE, "refuses a bomb of aliases"],
  ["duplicate keys are refused", "test/api/config.test.ts", "a key given twice"],
  ["Keys go through a strict schema", "test/api/config.test.ts", "lists every problem with its path"],
  ["listens on loopback unless", SERVE, "listens beyond loopback with a token alone"],
  ["listens on loopback unless", SERVE, "asks for its token at scores and figures alone"],
  ["The number of images in work", SERVE, "answers 503 with Retry-After while the queue is full"],
  ["The number of images in work", SERVE, "scores good images as predict does among broken, cut off, oversized"],
  ["for a page of another site is refused", SERVE, "asks for its token at scores and figures alone"],
  ["page loads its own files alone", SERVE, "has a page whose files are there, and which may load no others"],
  ["`ignore-scripts=true`", LOCKFILE, "runs no install script"],
  ["no script of its own for that", LOCKFILE, "has no script of its own that an installation would run"],
  ["The lockfile names each one's hash", LOCKFILE, "names no registry, and a hash for every package"],
  ["`overrides` lift", LOCKFILE, "has every %s at %s or later"],
  ["`overrides` lift", LOCKFILE, "has every %s as its override %s says"],
  ["Every package that an installation may bring", DEPENDENCIES, "has every package that package.json needs"],
  ["All licenses but that of libvips", DEPENDENCIES, "has permissive licenses alone, but for libvips"],
  ["`npm run sbom` writes", DEPENDENCIES, "names the package, and every package of docs/dependencies.md"],
  ["each release has it as a file", RELEASE, "has the SBOM as a file of the release"],
  [
    "The package on npm holds",
    "test/project/tarball.test.ts",
    "holds every kind of file that a user needs, and no other",
  ],
  ["A release is published by a workflow", RELEASE, "gives each job the permissions that it needs"],
  ["whose actions are pinned by commit", RELEASE, "pins each action by its commit"],
  ["It holds no password for npm", RELEASE, "puts no text of an event into a shell's command, and asks for no secret"],
  ["npm's provenance says", RELEASE, "publishes with provenance after all checks passed"],
  ["by name, version and SHA-256", "test/engine/install/flavors.test.ts", "pins every wheel to a Linux x86-64 file"],
  ["by name, version and SHA-256", "test/engine/install/libraries.test.ts", "refuses a wheel of another checksum"],
  ["`--source official` runs", "test/engine/install/install.test.ts", "has the package's own installer take no wheel"],
  ["lie in the user's own cache", "test/engine/install/pins.test.ts", "is under XDG_CACHE_HOME"],
  [
    "has checksums against damage",
    "test/train/checkpoint/checkpoint.test.ts",
    "refuses %s with any one of its bits turned",
  ],
  [
    "Addresses of loopback and private networks alone",
    "test/cli/cluster.test.ts",
    "is refused outside private networks, on WebAssembly, and where a step has fewer images than there are ranks",
  ],
  ["`--isolate` runs", ISOLATE, "reads weights and lists in it, too"],
  ["What runs in it reaches no network", ISOLATE, "scores as without, and what runs in it reaches no network"],
  [
    "The folders for temporary and running things",
    ISOLATE,
    "scores as without, and what runs in it reaches no network",
  ],
  ["Without bubblewrap", ISOLATE, "ends with 2 and says what to install, and reads nothing"],
];

/** Beginnings of sentences that promise nothing: what others do, what is to be done. */
const ADVICE = [
  "What liqe-train takes",
  "What it does so that",
  "`test/project/security.test.ts`",
  "A `.pt` file is a pickle",
  "Who can write there",
  "Scores of a model",
  "Decoders have faults",
  "It still reads what you can read",
  "There is no encryption of its own",
  "Please tell",
  "Processes that train one run together",
  "The runtime listens on every interface",
];

const page = readFileSync(join(PACKAGE_ROOT, "docs", "security.md"), "utf8");
const sentences = page
  .split(/\n(?=- )|\n\n/)
  .map((block) => block.replace(/^- /, "").replace(/\s+/g, " ").trim())
  .filter((block) => block !== "" && !block.startsWith("#"))
  .flatMap((block) => block.split(/(?<=\.)\s+(?=[A-Z`])/));

describe("docs/security.md", () => {
  it("has a test for each sentence that promises something", () => {
    const unheld = sentences.filter(
      (sentence) =>
        !ADVICE.some((words) => sentence.startsWith(words)) && !PROMISES.some(([words]) => sentence.includes(words)),
    );
    expect(unheld).toEqual([]);
  });

  it.each(PROMISES)("says %s, which %s holds: %s", (words, file, name) => {
    expect(sentences.filter((sentence) => sentence.includes(words))).toHaveLength(1);
    const test = new RegExp(`(?:it\\(|\\)\\(|\\[)\\s*"${escaped(name)}`); // not the row of this table
    expect(readFileSync(join(PACKAGE_ROOT, file), "utf8")).toMatch(test);
  });
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

describe("what others give", () => {
  const folder = temporaryFolder();
  const write = (name: string, text: string | Uint8Array) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const context = { database: "d", folder, tables: PUBLISHED_LABELS, published: new Map() };

  it("refuses a tar archive of weights with exit code 4, in one line", async () => {
    const tar = Buffer.alloc(1024);
    tar.write("pickle\0", 0);
    tar.write("ustar\0", 257);
    const error: unknown = await readWeights(write("old.pt", tar)).catch((thrown: unknown) => thrown);
    expect(exitCodeOf(error)).toBe(4);
    expect(String(error)).toMatch(/^CheckpointError: \S+old\.pt: is neither a safetensors file nor a zip[^\n]*$/);
  });

  it("refuses a safetensors header above 10 MB, and reads none of it", async () => {
    const start = Buffer.alloc(16, "{");
    start.writeBigUInt64LE(10_000_001n);
    const file = write("big.safetensors", start);
    truncateSync(file, 20_000_000);
    await expect(readWeights(file)).rejects.toThrow("claims 10000001 bytes; at most 10000000 are read");
  });

  it("refuses lists and lines that are too long", async () => {
    const long = write("line.csv", `image,mos\n${"x".repeat(70_000)}.png,1\n`);
    await expect(readList(long, context)).rejects.toThrow(`${long}:2: more than 65536 bytes are too many for a line`);
    const large = write("large.csv", "image,mos\n");
    truncateSync(large, 256 * 2 ** 20 + 1);
    await expect(readList(large, context)).rejects.toThrow(`${large}:2: more than 65536 bytes are too many for a line`);
    const whole = write("large.json", "[");
    truncateSync(whole, 256 * 2 ** 20 + 1);
    await expect(readList(whole, context)).rejects.toThrow("more than the 268435456 of a file that is held whole");
    const other = write("other.csv", "img_name,mos,std\na.png,1,2\n");
    truncateSync(other, 256 * 2 ** 20 + 1);
    await expect(readTable(other, {})).rejects.toThrow("more than the 268435456 of a file that is held whole");
  });

  it("refuses a bomb of aliases", () => {
    const bomb = `a: &a [1]\nb: [${Array.from({ length: 101 }, () => "*a").join(", ")}]\n`;
    expect(() => parseConfig(bomb, "bomb.yaml")).toThrow(/^bomb\.yaml: Excessive alias count/);
  });

  it("opens no picture that a file of predictions names outside its folder", async () => {
    const root = await toyDatabase();
    const inside = join(root, "toys", "mine.csv");
    const paths = ["test0.png", "../toys/test1.png", join(root, "toys", "test2.png")];
    writeFileSync(inside, ["image,quality,mos", ...paths.map((image, i) => `${image},${i},${i * i}`)].join("\n"));
    await judgePredictions(inside, { out: join(folder, "judged") });
    const report = readFileSync(join(folder, "judged", "report.html"), "utf8");
    expect(report.match(/its path leads out of the folder of its list/g)).toHaveLength(2);
    expect(report.match(/data:image\/webp/g)?.length).toBeGreaterThan(0);
  });

  it("follows links out of a folder unless it is told not to", async () => {
    const root = await toyDatabase();
    const images = temporaryFolder();
    for (const i of [0, 1, 2]) symlinkSync(join(root, "toys", `test${i}.png`), join(images, `${i}.png`));
    const list = join(images, "list.csv");
    writeFileSync(list, "image,mos\n0.png,1\n1.png,2\n2.png,3\n");
    const checked = await checkData({ list, images, followLinks: false, depth: "headers" });
    expect(checked.findings.filter(({ kind }) => kind === "outside")).toHaveLength(3);
    const weights = await toyWeights();
    const strict = { list, images, crops: 1, followLinks: false };
    await expect(evaluate(weights, strict)).rejects.toThrow("3 of 3 images: unusable");
    const { databases } = await evaluate(weights, { ...strict, followLinks: true });
    expect(databases[0]?.images).toBe(3);
    const scores = write("scores.csv", "image,quality\n0.png,1\n1.png,2\n2.png,3\n");
    await expect(judgePredictions(scores, { list, followLinks: false })).rejects.toThrow("leads out of the database's");
  });
});
