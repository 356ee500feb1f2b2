/**
 * Makes the model in the box, models/liqe-small, from a finished run: weights in half precision, of the token table the
 * rows of its own prompts, the record of the images it has seen, and the results on its run's test lists.
 *
 *     npm run build && node scripts/boxModel.mjs checkpoints/liqe-small
 */
import { spawnSync } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { openWeights } from "../dist/api/openModel.js";
import { writeSummed } from "../dist/base/files.js";
import { promptGrid } from "../dist/model/prompts/promptGrid.js";
import { gridTree } from "../dist/model/text/promptTree.js";
import { kindOf } from "../dist/model/architecture/architecture.js";
import { kindMetadata } from "../dist/model/weights/kind/encoderKind.js";
import { keepTokens } from "../dist/model/weights/keptTokens.js";
import { streamSafetensors } from "../dist/model/weights/safetensors.js";
import { CHECKPOINT_FILES as FILES, RUN_FILES } from "../dist/train/checkpoint/runFolder.js";

const LARGEST_MB = 8;

const [run] = process.argv.slice(2);
if (run === undefined) throw new Error("name the run: node scripts/boxModel.mjs checkpoints/liqe-small");
const root = path.join(import.meta.dirname, "..");
const out = path.join(root, "models", "liqe-small");

const { weights, architecture, state, seen } = await openWeights(run);
if (state === null || seen === null) throw new Error(`${run}: is no run, and has no record of what it has seen`);
const tree = gridTree(promptGrid(state.template, state.labels), architecture.text, { tokenizer: null, context: null });
const kept = keepTokens(weights, tree.usedTokens);

await mkdir(out, { recursive: true });
for (const name of [...Object.values(FILES), RUN_FILES.results]) await rm(path.join(out, name), { force: true });
const files = {};
const write = async (name, contents) => {
  files[name] = await writeSummed(path.join(out, name), contents);
};
await write(FILES.model, (sink) =>
  streamSafetensors(sink, {
    shapes: new Map([...kept.weights].map(([name, { shape }]) => [name, shape])),
    values: async (name) => kept.weights.get(name).values,
    metadata: { format: "pt", ...kindMetadata(kindOf(architecture)), ...kept.metadata },
    dtypeOf: (_, shape) => (shape.length >= 2 ? "F16" : "F32"),
  }),
);
await write(FILES.seen, `${JSON.stringify(seen)}\n`);
await write(FILES.state, `${JSON.stringify(withoutFolders(state), null, 1)}\n`);
await writeFile(path.join(out, FILES.manifest), `${JSON.stringify({ files }, null, 1)}\n`);

// Measured as it is shipped: rounded, and through the command that a user has
const evaluate = ["evaluate", "--checkpoint", out, "--seen", "drop", "--json"];
const { status, stdout } = spawnSync(process.execPath, [path.join(root, "bin", "liqe.js"), ...evaluate], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }); // prettier-ignore
if (status !== 0) throw new Error(`liqe evaluate ended with code ${status}`);
const results = { ...JSON.parse(stdout), checkpoint: path.basename(out) };
await writeFile(path.join(out, RUN_FILES.results), `${JSON.stringify(results, null, 1)}\n`);

const megabytes = Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
if (megabytes > LARGEST_MB)
  throw new Error(`${out}: has ${megabytes.toFixed(1)} MB; at most ${LARGEST_MB} are shipped`);
console.log(`${out}: ${megabytes.toFixed(1)} MB`);

/** The state without the folders of the machine that trained: paths begin at the databases' root. */
function withoutFolders(saved) {
  const folder = path.dirname(saved.config.data.root);
  const shorter = (name) => path.relative(folder, name);
  const config = { ...saved.config, data: { ...saved.config.data, root: shorter(saved.config.data.root) } };
  return { ...saved, config, trainingLists: saved.trainingLists.map(shorter) };
}
