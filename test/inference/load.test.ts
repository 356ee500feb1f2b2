import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CheckpointError } from "../../src/base/errors.js";
import * as tf from "../../src/engine/tf.js";
import { Liqe } from "../../src/inference/index.js";
import { toyTfjs } from "../support/exports.js";
import { temporaryFolder } from "../support/runs.js";

let folder: string;
beforeAll(async () => {
  folder = await toyTfjs("f16");
});

const shardOf = (name: string) => /\.bin$/.test(name);

/** Loads the export with some of its files changed. */
async function loadChanged(change: (name: string, content: Buffer) => Buffer | string): Promise<void> {
  const liqe = await Liqe.load((name) => Promise.resolve(Buffer.from(change(name, readFileSync(join(folder, name))))));
  liqe.dispose();
}

/** Changes one value of a JSON file; the manifest forgets the file's checksum where it is another file. */
function edited(file: string, edit: (json: Record<string, unknown>) => unknown) {
  return (name: string, content: Buffer) =>
    name === file ? JSON.stringify(edit(JSON.parse(content.toString()) as Record<string, unknown>)) : content;
}

describe("Liqe.load", () => {
  it("refuses a shard that was changed, cut short or lengthened, and leaves no tensor", async () => {
    const before = tf.memory().numTensors;
    const flip = (content: Buffer) => Buffer.from(content.map((byte, i) => (i === 1000 ? byte ^ 1 : byte)));
    const cases: [RegExp, (content: Buffer) => Buffer][] = [
      [/shard1of1\.bin: was changed since it was written/, flip],
      [/shard1of1\.bin: has \d+ bytes, \d+ were written/, (content) => content.subarray(1)],
      [/shard1of1\.bin: has \d+ bytes, \d+ were written/, (content) => Buffer.concat([content, content])],
    ];
    for (const [message, change] of cases) {
      const load = loadChanged((name, content) => (shardOf(name) ? change(content) : content));
      await expect(load).rejects.toThrow(CheckpointError);
      await expect(load).rejects.toThrow(message);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    ["of a later version", { manifestVersion: 3 }, "manifestVersion is 3, not 1 or 2"],
    ["of another format", { format: "onnx" }, 'format is "onnx", not "tfjs"; write one with'],
    ["without files", { files: undefined }, "files is missing"],
    ["without a model", { model: null }, "model.architecture.vision.width is missing"],
    ["without labels", { prompts: { axes: [{ axis: "quality", labels: [] }] } }, "prompts.axes is [{"],
  ])("refuses a manifest %s, and says what is wrong", async (_, change, message) => {
    const load = loadChanged(edited("manifest.json", (json) => ({ ...json, ...change })));
    await expect(load).rejects.toThrow(CheckpointError);
    await expect(load).rejects.toThrow(message);
  });

  it.each([
    ["vision.layers", 3_000_000, "model.architecture.vision.layers is 3000000, not a whole number from 0 to 1000"],
    ["vision.width", 2 ** 40, "model.architecture.vision.width is 1099511627776, not a whole number from 1 to 65536"],
    ["vision.heads", 1e9, "model.architecture.vision.heads is 1000000000, not a whole number from 1 to 1024"],
    ["vision.heads", 3, "3 heads do not divide the width 16"],
    ["vision.patchSize", 1e6, "model.architecture.vision.patchSize is 1000000, not a whole number from 1 to 768"],
    ["vision.patchSize", 33, "patches of 33 pixels do not divide a window of 224"],
    ["vision.imageSize", 1e6, "model.architecture.vision.imageSize is 1000000, not a whole number from 1 to 768"],
    ["vision.imageSize", 320, "windows have 224 pixels, the image encoder reads 320"],
    ["vision.stem", Array.from({ length: 1000 }, () => ({ stride: 1, width: 1 })), "or a list of 1 to 16 levels"],
    ["vision.stem", [{ stride: 8, width: 1e9 }], "or a list of 1 to 16 levels"],
    ["vision.stem", [{ stride: 8, width: 16 }], "the stem's strides make 8, its patches have 32 pixels"],
    ["vision.stem", [{ stride: 32, width: 12 }], "the stem ends with a width of 12, the blocks have 16"],
    ["text.layers", 3_000_000, "model.architecture.text.layers is 3000000"],
    ["text.width", 1e12, "model.architecture.text.width is 1000000000000"],
    ["text.vocabulary", 1e12, "model.architecture.text.vocabulary is 1000000000000"],
    ["text.contextLength", 1e9, "model.architecture.text.contextLength is 1000000000"],
    ["embedding", 1e9, "model.architecture.embedding is 1000000000, not a whole number from 1 to 65536"],
  ])("refuses a manifest with %s of %j before it reads another file", async (key, value, message) => {
    const asked: string[] = [];
    const load = loadChanged((name, content) => {
      asked.push(name);
      return edited("manifest.json", (json) => {
        const { architecture } = json["model"] as { architecture: Record<string, Record<string, unknown>> };
        const [first = "", second] = key.split(".");
        const inner = second === undefined ? value : { ...architecture[first], [second]: value };
        return { ...json, model: { ...(json["model"] as object), architecture: { ...architecture, [first]: inner } } };
      })(name, content);
    });
    await expect(load).rejects.toThrow(CheckpointError);
    await expect(load).rejects.toThrow(message);
    expect(asked).toEqual(["manifest.json"]);
  });

  it.each([
    ["crops", { preprocessing: { window: 224, crops: 1e12 } }, "preprocessing.crops is 1000000000000"],
    ["windows", { preprocessing: { window: 1e6, crops: 15 } }, "preprocessing.window is 1000000, not a whole number"],
    [
      "prompts",
      {
        prompts: {
          axes: ["quality", "scene", "distortion"].map((axis) => ({
            axis,
            labels: Array.from({ length: 1000 }, () => "x"),
          })),
        },
      },
      "of 1000000 prompts at most",
    ],
  ])("refuses a manifest with too many %s", async (_, change, message) => {
    const load = loadChanged(edited("manifest.json", (json) => ({ ...json, ...change })));
    await expect(load).rejects.toThrow(CheckpointError);
    await expect(load).rejects.toThrow(message);
  });

  it("refuses tensors whose shapes need other bytes than the files have, before it reads a shard", async () => {
    const asked: string[] = [];
    const text = readFileSync(join(folder, "model.json"), "utf8");
    const model = JSON.parse(text) as { weightsManifest: { weights: { shape: number[] }[] }[] };
    for (const { weights } of model.weightsManifest) for (const entry of weights) entry.shape = [3_000_000, 3_000_000];
    const changed = JSON.stringify(model);
    const sha256 = createHash("sha256").update(changed).digest("hex");
    const load = loadChanged((name, content) => {
      asked.push(name);
      if (name === "model.json") return changed;
      return edited("manifest.json", (json) => {
        const files = { ...(json["files"] as object), "model.json": { bytes: Buffer.byteLength(changed), sha256 } };
        return { ...json, files };
      })(name, content);
    });
    await expect(load).rejects.toThrow(CheckpointError);
    await expect(load).rejects.toThrow(/model\.json: does not fit its manifest: .*\[3000000, 3000000\]/);
    expect(asked).toEqual(["manifest.json", "model.json"]);
  });

  it("refuses weights that do not fit the manifest's architecture", async () => {
    const wider = edited("manifest.json", (json) => {
      const model = json["model"] as { architecture: { vision: object } }; // as this package wrote it
      const vision = { ...model.architecture.vision, width: 32 };
      return { ...json, model: { ...model, architecture: { ...model.architecture, vision } } };
    });
    await expect(loadChanged(wider)).rejects.toThrow("visual.class_embedding is [16], needed [32]");
  });

  it("refuses a file that is no JSON, and one that cannot be read", async () => {
    await expect(loadChanged(() => "<!doctype html>")).rejects.toThrow("manifest.json: is not JSON");
    const gone = Liqe.load(() => Promise.reject(new Error("permission denied")));
    await expect(gone).rejects.toThrow("manifest.json: cannot be read (permission denied)");
  });

  it("tells how far it is", async () => {
    const told: (readonly [number, number])[] = [];
    const read = (name: string) => Promise.resolve(readFileSync(join(folder, name)));
    const liqe = await Liqe.load(read, { onProgress: (...bytes) => told.push(bytes) });
    const size = readFileSync(join(folder, "group1-shard1of1.bin")).length;
    expect(told).toEqual([[size, size]]);
    liqe.dispose();
  });

  it("asks for a file only by the names of the manifest's files", async () => {
    const copy = join(temporaryFolder(), "copy");
    cpSync(folder, copy, { recursive: true });
    const model = JSON.parse(readFileSync(join(copy, "model.json"), "utf8")) as {
      weightsManifest: [{ paths: string[] }];
    };
    model.weightsManifest[0].paths = ["../secret.bin"];
    const text = JSON.stringify(model);
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(text))).toString("hex");
    writeFileSync(join(copy, "model.json"), text);
    const manifest = JSON.parse(readFileSync(join(copy, "manifest.json"), "utf8")) as {
      files: Record<string, unknown>;
    };
    manifest.files["model.json"] = { bytes: text.length, sha256: digest };
    manifest.files["../secret.bin"] = { bytes: 1, sha256: digest };
    writeFileSync(join(copy, "manifest.json"), JSON.stringify(manifest));
    const asked: string[] = [];
    const load = Liqe.load((name) => {
      asked.push(name);
      return Promise.resolve(readFileSync(join(copy, name)));
    });
    await expect(load).rejects.toThrow('"../secret.bin" is no file');
    expect(asked).toEqual(["manifest.json", "model.json"]);
  });
});

describe("Liqe.load of an address", () => {
  let server: Server;
  let address: string;
  beforeAll(async () => {
    server = createServer(({ url = "" }, response) => {
      const file = join(folder, url.replace(/^\/models\/mine\//, ""));
      if (url.startsWith("/models/mine/") && existsSync(file)) response.end(readFileSync(file));
      else response.writeHead(404).end("not here");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on a port
  });
  afterAll(() => {
    server.close();
  });

  it("fetches its files, with or without a slash at the end", async () => {
    for (const url of [`${address}/models/mine`, new URL(`${address}/models/mine/?version=2#top`)]) {
      const liqe = await Liqe.load(url);
      expect(liqe.manifest.dtype).toBe("f16");
      liqe.dispose();
    }
  });

  it("names the address that the server does not have", async () => {
    await expect(Liqe.load(`${address}/elsewhere`)).rejects.toThrow(
      `${address}/elsewhere/manifest.json: cannot be read (the server answers 404)`,
    );
  });

  it("refuses an address that is none", async () => {
    await expect(Liqe.load("models/mine")).rejects.toThrow('"models/mine" is no address');
  });
});
