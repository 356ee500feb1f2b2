import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { writeDurable } from "../../src/base/files.js";
import { seededRandom } from "../../src/base/random.js";
import { SILENT } from "../../src/base/types.js";
import { AugmentConfig } from "../../src/data/augment/config.js";
import { DataConfig } from "../../src/data/config.js";
import { openDatabases } from "../../src/data/openDatabases.js";
import { EngineConfig } from "../../src/engine/config.js";
import { EvaluateConfig } from "../../src/evaluate/config.js";
import { LossesConfig } from "../../src/losses/config.js";
import type { Architecture, VitArchitecture } from "../../src/model/architecture/architecture.js";
import { gridOf, ModelConfig, PromptsConfig } from "../../src/model/config.js";
import { initialParameters } from "../../src/model/parameters/initialize.js";
import type { NamedArrays } from "../../src/model/parameters/parameters.js";
import { gridTree } from "../../src/model/text/promptTree.js";
import { loadParameters } from "../../src/model/weights/loadParameters.js";
import { writeSafetensors } from "../../src/model/weights/safetensors.js";
import { fileBase } from "../../src/train/checkpoint/adapter.js";
import { TrainConfig } from "../../src/train/config.js";
import { LoggingConfig, MlflowConfig } from "../../src/train/logs/config.js";
import { chooseMemory } from "../../src/train/cost/memory.js";
import type { StopSignal } from "../../src/train/loop.js";
import { cropsPerStep, type RunPlan } from "../../src/train/plan.js";

/** A new empty folder; setup.ts clears it away. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "liqe-test-"));
}

/** A database of small random pictures in the published layout, `root`/toys: 12 to train on, 6 to validate and test. */
export async function toyDatabase(size = { rows: 256, cols: 240 }): Promise<string> {
  const root = temporaryFolder();
  const folder = join(root, "toys");
  mkdirSync(join(folder, "splits2", "1"), { recursive: true });
  const sizes = { train: 12, val: 6, test: 6 };
  for (const [subset, count] of Object.entries(sizes)) {
    const lines = Array.from({ length: count }, (_, i) => {
      const mos = 1 + (4 * i) / count;
      const [scene, distortion] = i % 2 === 0 ? ["animal", "gaussian blur"] : ["human", "white noise"];
      return [`${subset}${i}.png`, mos, distortion, scene, "invalid", "invalid"].join("\t");
    });
    writeFileSync(join(folder, "splits2", "1", `toys_${subset}_clip.txt`), `${lines.join("\n")}\n`);
    for (let i = 0; i < count; i++) await writeToy(join(folder, `${subset}${i}.png`), `${subset}${i}`, size);
  }
  return root;
}

type Size = { readonly rows: number; readonly cols: number };

async function writeToy(file: string, name: string, { rows, cols }: Size): Promise<void> {
  const random = seededRandom(1, name);
  const [red, green, blue] = [random.integer(255), random.integer(255), random.integer(255)];
  const pixels = Uint8Array.from({ length: rows * cols * 3 }, (_, i) => [red, green, blue][i % 3] ?? 0);
  for (let i = 0; i < pixels.length; i += 7) pixels[i] = random.integer(256);
  await sharp(pixels, { raw: { width: cols, height: rows, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toFile(file);
}

/** As small as a network that tokenizes real prompts can be: 2 MB, most of it the token table. */
export const TOY_ARCHITECTURE: VitArchitecture = {
  vision: { width: 16, layers: 1, heads: 1, activation: "quick-gelu", imageSize: 224, patchSize: 32, stem: "patch" },
  text: { width: 8, layers: 1, heads: 1, activation: "quick-gelu", contextLength: 77, vocabulary: 49_408 },
  embedding: 8,
};

/** Seeded weights by architecture: drawn once a process. */
const drawn = new Map<Architecture, NamedArrays>();

/** A weight file of the toy network, seeded. */
export async function toyWeights(architecture: Architecture = TOY_ARCHITECTURE): Promise<string> {
  const weights = drawn.get(architecture) ?? initialParameters(architecture, 5);
  drawn.set(architecture, weights);
  const file = join(temporaryFolder(), "toy.safetensors");
  await writeDurable(file, (handle) => writeSafetensors(handle, weights));
  return file;
}

/** A run of the toy network over a toy database, prompts about quality and distortion alone. */
export async function toyPlan(root: string, folder: string, train: Record<string, unknown>): Promise<RunPlan> {
  const settings = {
    run: "toys",
    seed: 7,
    model: ModelConfig.parse({ weights: await toyWeights() }),
    data: DataConfig.parse({ root, databases: [{ name: "toys", imagesPerStep: 4 }] }),
    augment: AugmentConfig.parse({}),
    prompts: PromptsConfig.parse({ template: "a photo with {distortion} artifacts, which is of {quality} quality" }),
    losses: LossesConfig.parse({}),
    train: TrainConfig.parse({ stepsPerEpoch: 3, cropsPerImage: 2, learningRate: 1e-3, weightDecay: 0.05, ...train }),
    evaluate: EvaluateConfig.parse({ crops: 1, validationCrops: 1 }),
    engine: EngineConfig.parse({}),
    logging: LoggingConfig.parse(undefined),
    mlflow: MlflowConfig.parse({}),
  };
  mkdirSync(folder, { recursive: true });
  const databases = await openDatabases(settings.data, 1);
  const tree = gridTree(gridOf(settings.prompts), TOY_ARCHITECTURE.text);
  const size = { architecture: TOY_ARCHITECTURE, tree, crops: cropsPerStep({ databases, config: settings }) };
  const config = { ...settings, train: { ...settings.train, ...chooseMemory(settings.train, size, totalmem()) } };
  return {
    folder,
    split: 1,
    config,
    record: { ...config },
    architecture: TOY_ARCHITECTURE,
    labels: gridOf(settings.prompts).labels,
    databases,
    packageVersion: "0.0.0",
    engine: { backend: "native", threads: 2 },
    peakFlopsPerSecond: 1e11,
    initialWeights: async () => (await loadParameters(settings.model.weights)).parameters,
    initialBase: () => fileBase(settings.model.weights),
    initialSeen: () => Promise.resolve(null),
    reporter: SILENT,
    share: null,
    now: () => 0,
  };
}

/** A request to stop that is asked for by `isAsked`. */
export function stopWhen(isAsked: () => boolean): StopSignal {
  return {
    get aborted() {
      return isAsked();
    },
  };
}
