import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { predict } from "../../src/api/predict.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { seededRandom } from "../../src/base/random.js";
import { FAULTS, type Outcome, type Picture, postPicture, startService } from "../support/serviceClients.js";
import { toyWeights } from "../support/runs.js";
import { IS_BUILT } from "./liqe.js";

/** Quality in other batches than `predict`'s: CLIP's scale of 100 turns 1e-7 in features into 1e-5 in logits. */
const OTHER_BATCHES = 1e-4;
/** Beside other work. */
const PATIENT = { timeout: 60_000, interval: 20 };
const CLIENTS = 12;
const KILLS = 4;
const FAULTY_UPLOADS = 2000;

const photos = join(PACKAGE_ROOT, "examples", "photos");
const weights = await toyWeights();
const pictures: (Picture & { readonly bytes: Buffer<ArrayBuffer> })[] = readdirSync(photos)
  .filter((name) => name.endsWith(".jpg"))
  .map((name) => ({ name, bytes: Buffer.from(readFileSync(join(photos, name))) }));

/** What `predict` says of each picture, by its name. */
const expected = new Map<string, number>();
beforeAll(async () => {
  for (const { name } of pictures) {
    for await (const one of predict([join(photos, name)], { checkpoint: weights })) {
      expected.set(name, "error" in one ? NaN : one.quality);
    }
  }
});

/** Largest difference of any score that was given from `predict`'s; 0 where none was. */
function worstOf(outcomes: readonly Outcome[]): number {
  const scored = outcomes.filter(({ status }) => status === 200);
  const differences = scored.map(({ name, text }) => {
    const { image, quality } = JSON.parse(text) as { image: string; quality: number }; // our own output
    return image === name ? Math.abs(quality - (expected.get(name) ?? NaN)) : NaN;
  });
  return Math.max(0, ...differences);
}

/** Clients that ask one request after the other until they are stopped, whatever becomes of them. */
function clientsOf(port: number) {
  const outcomes: Outcome[] = [];
  const state = { isOver: false };
  const ask = async (client: number) => {
    for (let i = client; !state.isOver; i++) {
      const picture = pictures[i % pictures.length];
      if (picture === undefined) throw new Error("test: there are no photographs");
      const outcome = await postPicture(port, picture).outcome;
      outcomes.push(outcome);
      if (outcome.status !== 200) await sleep(20); // a refused connection costs nothing, and there would be thousands
    }
  };
  const all = Promise.all(Array.from({ length: CLIENTS }, (_, client) => ask(client)));
  const stop = async () => {
    state.isOver = true;
    await all;
  };
  const scored = () => outcomes.filter(({ status }) => status === 200).length;
  return { outcomes, scored, stop };
}

describe.skipIf(!IS_BUILT)("liqe serve under load", () => {
  it("killed and started again, closes or refuses connections, and gives no wrong score", async () => {
    const args = ["--checkpoint", weights, "--port"];
    let service = await startService([...args, "0"]);
    const { port } = service;
    const clients = clientsOf(port);
    const random = seededRandom(11, "kills");
    for (let kill = 0; kill < KILLS; kill++) {
      const [scored, asked] = [clients.scored(), clients.outcomes.length];
      await expect.poll(clients.scored, PATIENT).toBeGreaterThan(scored + CLIENTS);
      await sleep(random.integer(200));
      service.child.kill("SIGKILL");
      expect(await service.ended).toEqual([null, "SIGKILL"]);
      const refused = () => clients.outcomes.slice(asked).some(({ status, isInWork }) => status === null && !isInWork);
      await expect.poll(refused, PATIENT).toBe(true);
      service = await startService([...args, String(port)]);
    }
    const scored = clients.scored();
    await expect.poll(clients.scored, PATIENT).toBeGreaterThan(scored + CLIENTS);
    await clients.stop();
    expect([...new Set(clients.outcomes.map(({ status }) => status))].sort()).toEqual([200, null]);
    expect(worstOf(clients.outcomes)).toBeLessThan(OTHER_BATCHES);
    const lost = clients.outcomes.filter(({ status, isInWork }) => status === null && isInWork);
    expect(lost.length).toBeGreaterThan(0); // else no kill has met a request in work
  }, 240_000);

  it("at SIGTERM answers every request whose head it has read, and ends with 0", async () => {
    const service = await startService(["--checkpoint", weights, "--port", "0"]);
    const clients = clientsOf(service.port);
    await expect.poll(clients.scored, PATIENT).toBeGreaterThan(CLIENTS);
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const held = pictures.map((picture) => postPicture(service.port, picture, () => released));
    await Promise.all(held.map(({ inWork }) => inWork));
    service.child.kill("SIGTERM");
    await expect.poll(service.notices, PATIENT).toContain("SIGTERM: finishing what is in work");
    release();
    const answers = await Promise.all(held.map(({ outcome }) => outcome));
    expect(await service.ended).toEqual([0, null]);
    await clients.stop();
    expect(answers.map(({ status }) => status)).toEqual(pictures.map(() => 200));
    expect(clients.outcomes.filter(({ status, isInWork }) => isInWork && status === null)).toEqual([]);
    expect(worstOf([...answers, ...clients.outcomes])).toBeLessThan(OTHER_BATCHES);
  }, 120_000);

  it(`scores good pictures as predict does among ${FAULTY_UPLOADS} broken, cut off, oversized and slow uploads`, async () => {
    const limits = ["--max-upload", "1", "--upload-timeout", "5"];
    const service = await startService(["--checkpoint", weights, "--port", "0", ...limits]);
    const clients = clientsOf(service.port);
    const wrong: string[] = [];
    let sent = 0;
    const sendFaults = async () => {
      while (sent < FAULTY_UPLOADS) {
        const [fault, picture] = [FAULTS[sent % FAULTS.length], pictures[sent % pictures.length]];
        sent++;
        if (fault === undefined || picture === undefined) throw new Error("test: there are no faults or photographs");
        const status = await fault.send(service.port, picture.bytes);
        if (!fault.statuses.includes(status)) wrong.push(`${fault.kind}: ${status}`);
      }
    };
    await Promise.all(Array.from({ length: 4 * CLIENTS }, sendFaults));
    const scored = clients.scored();
    await expect.poll(clients.scored, PATIENT).toBeGreaterThan(scored + CLIENTS); // it still scores, at the end
    await clients.stop();
    service.child.kill("SIGTERM");
    expect(await service.ended).toEqual([0, null]);
    expect(wrong).toEqual([]);
    expect(worstOf(clients.outcomes)).toBeLessThan(OTHER_BATCHES);
    const others = clients.outcomes.filter(({ status }) => status !== 200 && status !== 503);
    expect(others).toEqual([]);
  }, 240_000);
});
