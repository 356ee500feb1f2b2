/** Child process of `WorkerPool`: encodes the crops that it is sent, one batch after another. */
import process from "node:process";
import { CachedTensors } from "../../engine/cachedTensors.js";
import { startEngine } from "../../engine/engine.js";
import * as tf from "../../engine/tf.js";
import type { Architecture } from "../../model/architecture/architecture.js";
import type { ReadParameter } from "../../model/parameters/parameters.js";
import { foldVit, isFolded } from "../../model/vision/foldedVit.js";
import { patchTensor } from "../../model/vision/patches.js";
import { encodeFolded } from "../../model/vision/vit.js";

export type ImageRequest =
  | {
      readonly kind: "parameter";
      readonly name: string;
      readonly shape: readonly number[];
      readonly values: Float32Array;
    }
  | { readonly kind: "start"; readonly architecture: Architecture; readonly threads: number }
  | { readonly kind: "pixels"; readonly crops: number; readonly pixels: Uint8Array };

export type ImageReply =
  | { readonly kind: "features"; readonly features: Float32Array }
  | { readonly kind: "failed"; readonly message: string };

type Parameter = Extract<ImageRequest, { kind: "parameter" }>;
type Encode = (pixels: Uint8Array, crops: number) => Float32Array;

const parameters: Parameter[] = [];
let encoder: Encode | null = null;
let turn = Promise.resolve();

// Ctrl-C reaches every process of the terminal, and a scheduler's SIGTERM every one of a job: the parent decides.
process.on("SIGINT", () => undefined).on("SIGTERM", () => undefined);
process.on("disconnect", () => process.exit()); // the parent exited: nobody reads the result
process.on("message", (request: ImageRequest) => {
  turn = turn.then(async () => {
    try {
      await answer(request);
    } catch (error) {
      reply({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
    }
  });
});

async function answer(request: ImageRequest): Promise<void> {
  if (request.kind === "parameter") {
    parameters.push(request);
  } else if (request.kind === "start") {
    await startEngine("native", { threads: request.threads });
    encoder = openEncoder(parameters.splice(0), request.architecture);
  } else {
    if (encoder === null) throw new Error("internal: imageProcess: pixels came before the weights");
    reply({ kind: "features", features: encoder(request.pixels, request.crops) });
  }
}

function openEncoder(weights: readonly Parameter[], architecture: Architecture): Encode {
  const tensors = new Map(weights.map(({ name, shape, values }) => [name, tf.tensor(values, [...shape])]));
  const read = (<R extends tf.Rank>(name: string): tf.Tensor<R> => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`internal: imageProcess: ${name} was not sent`);
    return tensor as tf.Tensor<R>; // its rank is what parameterShapes says of this name
  }) satisfies ReadParameter;
  const folded = new CachedTensors(() => foldVit({ read, architecture }), []).get();
  tf.dispose([...tensors].filter(([name]) => isFolded(name)).map(([, tensor]) => tensor));
  return (pixels, crops) => {
    const patches = patchTensor(pixels, architecture.vision);
    const features = encodeFolded({ read, architecture }, folded, { patches, crops });
    const values = Float32Array.from(features.dataSync()); // the engine may hand out its own memory
    tf.dispose([patches, features]);
    return values;
  };
}

function reply(message: ImageReply): void {
  process.send?.(message);
}
