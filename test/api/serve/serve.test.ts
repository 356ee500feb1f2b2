import { connect, type Socket } from "node:net";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import sharp from "sharp";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Model } from "../../../src/api/load.js";
import { type Prediction, predict } from "../../../src/api/predict.js";
import { predictionJson } from "../../../src/api/predictions/predictionJson.js";
import { serve, type Service, type ServeOptions } from "../../../src/api/serve/serve.js";
import { ConfigError } from "../../../src/base/errors.js";
import { PACKAGE_ROOT, packageVersion } from "../../../src/base/packageInfo.js";
import { seededRandom } from "../../../src/base/random.js";
import { ModelScorer } from "../../../src/model/scorer.js";
import { temporaryFolder, toyWeights } from "../../support/runs.js";

/** Quality in other batches than `predict`'s: CLIP's scale of 100 turns 1e-7 in features into 1e-5 in logits. */
const OTHER_BATCHES = 1e-4;

/** Beside other work. */
const PATIENT = { timeout: 20_000 };

const weights = await toyWeights();
const folder = join(temporaryFolder(), "photos");
mkdirSync(folder);
const GOOD = ["a.png", "b.jpg", "c.webp", "d.png", "e.jpg"];
for (const name of GOOD) {
  const random = seededRandom(1, name);
  const [width, height] = [240 + random.integer(200), 240 + random.integer(200)];
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i % 7 === 0 ? random.integer(256) : 90));
  await sharp(pixels, { raw: { width, height, channels: 3 } }).toFile(join(folder, name));
}
writeFileSync(join(folder, "text.jpg"), "no picture");
writeFileSync(join(folder, "cut.jpg"), bytesOf("b.jpg").subarray(0, 3000));
await sharp({ create: { width: 100, height: 300, channels: 3, background: "teal" } }).toFile(join(folder, "small.png"));
const BAD = ["text.jpg", "cut.jpg", "small.png"];

/** Objects of `predict --json`, each image scored by itself, under the names that clients give. */
const expected = new Map<string, object>();
beforeAll(async () => {
  for (const name of [...GOOD, ...BAD]) {
    for await (const one of predict([join(folder, name)], { checkpoint: weights })) {
      const object = JSON.stringify(predictionJson(one, "ignore")).replaceAll(join(folder, name), name);
      expected.set(name, JSON.parse(object) as object); // our own output
    }
  }
});

function bytesOf(name: string): Buffer<ArrayBuffer> {
  return Buffer.from(readFileSync(join(folder, name)));
}

let service: Service | null = null;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await service?.close();
  service = null;
  vi.restoreAllMocks();
});

/** What the model does from now on, whose every batch takes `seconds` longer: "begun" and "computed", then "disposed". */
function slowDown(seconds: number): string[] {
  const events: string[] = [];
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with its own `this` below
  const { logitsLater } = ModelScorer.prototype;
  vi.spyOn(ModelScorer.prototype, "logitsLater").mockImplementation(async function (this: ModelScorer, pixels) {
    events.push("begun");
    const logits = await logitsLater.call(this, pixels);
    await wait(1000 * seconds);
    events.push("computed");
    return logits;
  });
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with its own `this` below
  const { dispose } = Model.prototype;
  vi.spyOn(Model.prototype, "dispose").mockImplementation(function (this: Model) {
    events.push("disposed");
    dispose.call(this);
  });
  return events;
}

async function start(options: ServeOptions = {}): Promise<string> {
  service = await serve(weights, { port: 0, ...options });
  return service.address;
}

async function score(address: string, name: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${address}/score?name=${name}`, { method: "POST", headers, body: bytesOf(name) });
  return { status: answer.status, answer, found: (await answer.json()) as Prediction }; // our own output
}

/** Connection that sends text or bytes as they are; `ended` is all that came back, once the server closed it. */
function raw(address: string, ...parts: readonly (string | Uint8Array)[]) {
  const socket = connect(Number(new URL(address).port), "127.0.0.1");
  sockets.push(socket);
  let text = "";
  socket.on("error", () => undefined);
  socket.on("data", (data) => (text += data.toString()));
  for (const part of parts) socket.write(part);
  const ended = new Promise<string>((resolve) => socket.on("close", () => { resolve(text); })); // prettier-ignore
  const heard = (words: string) =>
    new Promise<string>((resolve) => {
      socket.on("data", () => {
        if (text.includes(words)) resolve(text);
      });
    });
  return { socket, ended, heard };
}

function head(length: number): string {
  return `POST /score?name=a.png HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n`;
}

async function metric(address: string, name: string): Promise<number> {
  const text = await (await fetch(`${address}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? NaN);
}

describe("liqe serve", () => {
  it("answers one image with the very object of predict --json, and a bad one with its words and 422", async () => {
    const address = await start();
    for (const name of [...GOOD, ...BAD]) {
      const { status, found } = await score(address, name);
      expect(found).toEqual(expected.get(name));
      expect(status).toBe(GOOD.includes(name) ? 200 : 422);
    }
    expect(await metric(address, 'liqe_images_total{outcome="scored"}')).toBe(GOOD.length);
    expect(await metric(address, 'liqe_images_total{outcome="failed"}')).toBe(BAD.length);
  });

  it("answers several in one multipart body by a list in their order, whatever a client calls their type", async () => {
    const address = await start();
    const form = new FormData();
    for (const name of ["a.png", "text.jpg", "b.jpg"]) form.append("image", new Blob([bytesOf(name)]), name);
    form.append("note", "no file");
    const answer = await fetch(`${address}/score`, { method: "POST", body: form });
    const found = (await answer.json()) as { image: string; quality?: number; error?: string }[]; // our own output
    expect([answer.status, found.map(({ image }) => image)]).toEqual([422, ["a.png", "text.jpg", "b.jpg"]]);
    expect(found[1]).toEqual(expected.get("text.jpg"));
    const quality = (expected.get("b.jpg") as { quality: number }).quality; // our own output
    expect(Math.abs((found[2]?.quality ?? NaN) - quality)).toBeLessThan(OTHER_BATCHES);
    expect((await score(address, "a.png", { "content-type": "application/json" })).status).toBe(200);
  });

  it("scores good images as predict does among broken, cut off, oversized and slow uploads, and keeps nothing", async () => {
    const address = await start({ maxUpload: 1, uploadTimeout: 1 });
    const files = readdirSync(tmpdir(), { recursive: true });
    const large = fetch(`${address}/score`, { method: "POST", body: Buffer.alloc(3_000_000, 1) });
    const slow = raw(address, head(1000), "only this");
    const silent = raw(address, "POST /score HTTP/1.1\r\nhost:");
    const cut = raw(address, head(5000), bytesOf("a.png").subarray(0, 500));
    cut.socket.end();
    const garbled = raw(address, "POST /score\0HTTP/9\r\n\r\n");
    const broken = fetch(`${address}/score`, {
      ...{ method: "POST", headers: { "content-type": "multipart/form-data; boundary=x" } },
      body: '--x\r\ncontent-disposition: form-data; name="f"; filename="f.png"\r\n\r\nabc',
    });
    const mixed = Array.from({ length: 32 }, (_, i) => [...GOOD, ...BAD][i % 8] ?? "");
    const answers = await Promise.all(mixed.map((name) => score(address, name)));
    for (const [i, { status, found }] of answers.entries()) {
      const own = expected.get(mixed[i] ?? "") as { quality?: number; error?: string }; // our own output
      if ("error" in found) expect([status, found]).toEqual([422, own]);
      else expect(Math.abs(found.quality - (own.quality ?? NaN))).toBeLessThan(OTHER_BATCHES);
    }
    expect([(await large).status, (await broken).status]).toEqual([413, 400]);
    expect(await slow.ended).toMatch(/^HTTP\/1\.1 408 /);
    expect(await silent.ended).toMatch(/^HTTP\/1\.1 408 /);
    expect(await garbled.ended).toMatch(/^HTTP\/1\.1 400 /);
    await cut.ended;
    await expect.poll(() => metric(address, "liqe_queue_length"), PATIENT).toBe(0);
    expect(readdirSync(tmpdir(), { recursive: true })).toEqual(files);
    // all bytes that may be in memory at once, which only fit where those above are given back to the last one
    const body = Buffer.alloc(1_000_000, 1);
    const filling = Array.from({ length: 8 }, () => fetch(`${address}/score`, { method: "POST", body }));
    expect((await Promise.all(filling)).map(({ status }) => status)).toEqual(Array(8).fill(422));
  });

  it("answers 503 with Retry-After while the queue is full, and the one that fills it gets its score", async () => {
    const address = await start({ maxQueue: 1 });
    const bytes = bytesOf("a.png");
    const first = raw(address, head(bytes.length), bytes.subarray(0, 100));
    await expect.poll(() => metric(address, "liqe_queue_length"), PATIENT).toBe(1);
    const { status, answer, found } = await score(address, "b.jpg");
    expect([status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(found).toEqual({ error: "the queue is full, with 1 image in work; try again" });
    first.socket.write(bytes.subarray(100));
    expect(JSON.parse((await first.ended).split("\r\n\r\n")[1] ?? "")).toEqual(expected.get("a.png"));
    expect((await score(address, "b.jpg")).status).toBe(200);
    const form = new FormData();
    for (const name of ["a.png", "b.jpg"]) form.append("image", new Blob([bytesOf(name)]), name);
    expect((await fetch(`${address}/score`, { method: "POST", body: form })).status).toBe(413);
    await expect.poll(() => metric(address, "liqe_queue_length"), PATIENT).toBe(0);
  });

  it("asks for its token at scores and figures alone, and refuses pages of other sites", async () => {
    const address = await start({ token: "0123456789" });
    const statuses = async (headers: Record<string, string>) => [
      (await score(address, "a.png", headers)).status,
      (await fetch(`${address}/metrics`, { headers })).status,
      (await fetch(`${address}/health`, { headers })).status,
      (await fetch(address, { headers })).status,
    ];
    expect(await statuses({})).toEqual([401, 401, 200, 200]);
    expect(await statuses({ authorization: "Bearer 0123456788" })).toEqual([401, 401, 200, 200]);
    expect(await statuses({ authorization: "Bearer 0123456789" })).toEqual([200, 200, 200, 200]);
    const foreign = { authorization: "Bearer 0123456789", origin: "http://elsewhere.example" };
    expect((await score(address, "a.png", foreign)).status).toBe(403);
    const own = { authorization: "Bearer 0123456789", origin: address };
    expect((await score(address, "a.png", own)).status).toBe(200);
  });

  it("listens beyond loopback with a token alone, and names a port that is in use", async () => {
    await expect(serve(weights, { host: "0.0.0.0" })).rejects.toThrow(ConfigError);
    await expect(serve(weights, { token: "short" })).rejects.toThrow("--token: must be 8 or more");
    const { port } = new URL(await start({ token: "0123456789", host: "0.0.0.0" }));
    await expect(serve(weights, { port: Number(port), host: "0.0.0.0", token: "0123456789" })).rejects.toThrow(
      `--port ${port}: is in use on 0.0.0.0`,
    );
  });

  it("answers at its end what has begun, cuts off what does not come, and listens no more", async () => {
    const address = await start({ uploadTimeout: 1 });
    const bytes = bytesOf("a.png");
    const first = raw(address, head(bytes.length), bytes.subarray(0, 100));
    const never = raw(address, head(bytes.length), bytes.subarray(0, 100));
    await expect.poll(() => metric(address, "liqe_queue_length"), PATIENT).toBe(2);
    const closed = service?.close();
    service = null;
    first.socket.write(bytes.subarray(100));
    expect(JSON.parse((await first.ended).split("\r\n\r\n")[1] ?? "")).toEqual(expected.get("a.png"));
    expect(await never.ended).not.toContain("200 OK");
    await closed;
    await expect(fetch(`${address}/health`)).rejects.toThrow();
  });

  it("answers at its end what has arrived whole, however long that takes to compute", async () => {
    const events = slowDown(2);
    const address = await start({ uploadTimeout: 1 });
    const bytes = bytesOf("a.png");
    const whole = raw(address, head(bytes.length), bytes);
    await expect.poll(() => events, PATIENT).toEqual(["begun"]);
    await service?.close();
    service = null;
    expect(JSON.parse((await whole.ended).split("\r\n\r\n")[1] ?? "")).toEqual(expected.get("a.png"));
  });

  it("keeps its model at its end for what is computed, though its client is gone", async () => {
    const events = slowDown(1);
    const address = await start();
    const bytes = bytesOf("a.png");
    const gone = raw(address, head(bytes.length), bytes);
    await expect.poll(() => events, PATIENT).toEqual(["begun"]);
    gone.socket.destroy();
    await service?.close();
    service = null;
    expect(events).toEqual(["begun", "computed", "disposed"]);
  });

  it("notes each damaged image that it reads all the same, as predict does, in one line", async () => {
    const notes: string[] = [];
    const address = await start({
      small: "resize",
      onProgress: (event) => {
        if (event.kind === "note") notes.push(event.line);
      },
    });
    notes.length = 0;
    const body = readFileSync(join(PACKAGE_ROOT, "test", "fixtures", "images", "damaged-scan.jpg"));
    for (const name of ["scan.jpg", "two%0Alines.jpg"]) {
      const answer = await fetch(`${address}/score?name=${name}`, { method: "POST", body });
      expect(answer.status).toBe(200);
    }
    expect(notes).toEqual([
      expect.stringMatching(/^scan\.jpg: is damaged \(.*\), read as PIL reads it; get such files again if you can$/),
      expect.stringMatching(/^two\uFFFDlines\.jpg: is damaged/),
    ]);
  });

  it("tells who asks for its health the model's name, and no folder of its machine", async () => {
    const found = await (await fetch(`${await start()}/health`)).json();
    expect(found).toEqual({ status: "ok", model: basename(weights), version: packageVersion() });
  });

  it("has a page whose files are there, and which may load no others", async () => {
    const address = await start();
    const page = await fetch(address);
    const policy = (page.headers.get("content-security-policy") ?? "").split("; ").map((part) => part.split(" "));
    const sources = Object.fromEntries(policy.map(([name = "", ...allowed]) => [name, allowed.join(" ")]));
    expect(sources["default-src"]).toBe("'none'");
    expect(sources).toMatchObject({ "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'" }); // which have no default
    expect(new Set(Object.values(sources))).toEqual(new Set(["'none'", "'self'"]));
    const files = [...(await page.text()).matchAll(/(?:href|src)="([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(files).toEqual(["public/icon.svg", "src/style.css", "served/page.js"]);
    const script = await (await fetch(`${address}/served/page.js`)).text();
    const shared = [...script.matchAll(/from "\.\.\/([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(shared.length).toBeGreaterThan(0);
    for (const file of [...files, ...shared]) {
      const { status, headers } = await fetch(`${address}/${file}`);
      expect([status, headers.get("x-content-type-options")]).toEqual([200, "nosniff"]);
    }
    expect((await fetch(`${address}/other`)).status).toBe(404);
  });
});
