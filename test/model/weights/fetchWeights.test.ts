import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ConfigError, NoSpaceError } from "../../../src/base/errors.js";
import type { ProgressEvent } from "../../../src/base/types.js";
import { type FetchOptions, fetchWeights } from "../../../src/model/weights/fetchWeights.js";
import { proxyServer } from "../../support/proxyServer.js";

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251));
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");

let folder: string;
let target: string;
const servers: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "liqe-fetch-"));
  target = join(folder, "checkpoints", "ViT-X.pt");
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
  rmSync(folder, { recursive: true });
});

type Answer = (request: IncomingMessage, response: ServerResponse, nth: number) => void;

/** A server on this machine; its requests, and the published file as it has it. */
type PublishedFile = Parameters<typeof fetchWeights>[0];

async function serve(answer: Answer): Promise<{ published: PublishedFile; ranges: (string | undefined)[] }> {
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    answer(request, response, ranges.length);
  });
  const address = `http://127.0.0.1:${await listen(server)}/${SHA256}/ViT-X.pt`;
  return { published: { file: "ViT-X.pt", address, bytes: CONTENT.length, sha256: SHA256 }, ranges };
}

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return (server.address() as AddressInfo).port; // a TCP server's address has a port
}

/** Sends what is asked for, as static file servers do. */
const honest: Answer = (request, response) => {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const headers = from > 0 ? { "content-range": `bytes ${from}-${CONTENT.length - 1}/${CONTENT.length}` } : {};
  response.writeHead(from > 0 ? 206 : 200, headers).end(CONTENT.subarray(from));
};

const fetchIt = (published: PublishedFile, options: Partial<FetchOptions> = {}) =>
  fetchWeights(published, target, { report: () => undefined, retrySeconds: 0.01, environment: {}, ...options });

const leavePartial = async (bytes: Uint8Array) => {
  await import("node:fs/promises").then(({ mkdir }) => mkdir(join(folder, "checkpoints")));
  writeFileSync(`${target}.partial`, bytes);
};

describe("fetchWeights", () => {
  it("writes the file under its name once its checksum is right, reporting every byte", async () => {
    const { published } = await serve(honest);
    const events: ProgressEvent[] = [];
    expect(await fetchIt(published, { report: (event) => events.push(event) })).toBe(false);
    expect(readFileSync(target).equals(CONTENT)).toBe(true);
    expect(existsSync(`${target}.partial`)).toBe(false);
    expect(events.at(-1)).toEqual({ label: "download ViT-X.pt", done: 300_000, total: 300_000, unit: "bytes" });
  });

  it("goes on where an earlier download stopped", async () => {
    const { published, ranges } = await serve(honest);
    await leavePartial(CONTENT.subarray(0, 123_456));
    await fetchIt(published);
    expect(ranges).toEqual(["bytes=123456-"]);
    expect(readFileSync(target).equals(CONTENT)).toBe(true);
  });

  it("takes the size from the server where only the checksum is published, and goes on all the same", async () => {
    const { published, ranges } = await serve((request, response, nth) => {
      response.setHeader("content-length", CONTENT.length);
      if (nth > 1) {
        response.removeHeader("content-length");
        honest(request, response, nth);
      } else response.writeHead(200).write(CONTENT.subarray(0, 100_000), () => response.destroy());
    });
    await fetchIt({ ...published, bytes: null });
    expect(ranges).toHaveLength(2);
    expect(readFileSync(target).equals(CONTENT)).toBe(true);
    expect(await fetchIt({ ...published, bytes: null })).toBe(true); // by its checksum alone
  });

  it("keeps a partial file that is whole, and begins anew after one that is too long", async () => {
    const whole: Answer = (request, response) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      const isPast = from >= CONTENT.length;
      if (isPast) response.writeHead(416, { "content-range": `bytes */${CONTENT.length}` }).end();
      else response.writeHead(200, { "content-length": CONTENT.length }).end(CONTENT);
    };
    for (const left of [CONTENT, Buffer.concat([CONTENT, CONTENT])]) {
      const { published, ranges } = await serve(whole);
      rmSync(join(folder, "checkpoints"), { recursive: true, force: true });
      await leavePartial(left);
      await fetchIt({ ...published, bytes: null });
      expect(ranges).toHaveLength(left === CONTENT ? 1 : 2);
      expect(readFileSync(target).equals(CONTENT)).toBe(true);
    }
  });

  it("starts over where the server cannot send a part", async () => {
    const { published } = await serve((_, response) => response.end(CONTENT));
    await leavePartial(Buffer.alloc(200_000, 1));
    await fetchIt(published);
    expect(readFileSync(target).equals(CONTENT)).toBe(true);
  });

  it("asks again, for the rest alone, when the connection is lost", async () => {
    const { published, ranges } = await serve((request, response, nth) => {
      if (nth > 1) honest(request, response, nth);
      else response.writeHead(200).write(CONTENT.subarray(0, 100_000), () => response.destroy());
    });
    await fetchIt(published);
    expect(ranges).toHaveLength(2);
    expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
    expect(readFileSync(target).equals(CONTENT)).toBe(true);
  });

  it("asks again when the server is busy, and gives up after five times", async () => {
    const { published, ranges } = await serve((_, response) => response.writeHead(503).end());
    await expect(fetchIt(published)).rejects.toThrow(/ViT-X\.pt: cannot be downloaded, answers 503/);
    expect(ranges).toHaveLength(5);
  });

  it.runIf(existsSync("/dev/full"))("says that the disk is full, and does not ask again", async () => {
    const { published, ranges } = await serve(honest);
    mkdirSync(join(folder, "checkpoints"));
    symlinkSync("/dev/full", `${target}.partial`);
    const fetched = fetchIt(published);
    await expect(fetched).rejects.toThrow(NoSpaceError);
    await expect(fetched).rejects.toThrow(/ViT-X\.pt\.partial: no room for ViT-X\.pt, which has 1 MB \(ENOSPC/);
    expect(ranges).toHaveLength(1);
  });

  it("writes every byte where the disk takes a part of each piece", async () => {
    const { published } = await serve(honest);
    const handle = await open(join(folder, "probe"), "w");
    const prototype = Object.getPrototypeOf(handle) as {
      write: (...args: [Uint8Array, number, number, number]) => unknown;
    }; // of every handle
    await handle.close();
    const { write } = prototype;
    const spy = vi.spyOn(prototype, "write").mockImplementation(function (this: unknown, bytes, offset, length, at) {
      return write.call(this, bytes, offset, Math.ceil(length / 2), at);
    });
    try {
      await fetchIt(published);
    } finally {
      spy.mockRestore();
    }
    expect(readFileSync(target).equals(CONTENT)).toBe(true);
  });

  it("does not ask again for what is not there", async () => {
    const { published, ranges } = await serve((_, response) => response.writeHead(404).end());
    await expect(fetchIt(published)).rejects.toThrow("answers 404");
    expect(ranges).toHaveLength(1);
  });

  it("throws away what has another checksum, and says both", async () => {
    const { published } = await serve((_, response) => response.end(Buffer.alloc(CONTENT.length)));
    await expect(fetchIt(published)).rejects.toThrow(new RegExp(`what came has SHA-256 .*, published is ${SHA256}`));
    expect(existsSync(target)).toBe(false);
    expect(existsSync(`${target}.partial`)).toBe(false);
  });

  it("stops a server that sends more than was published", async () => {
    const { published, ranges } = await serve((_, response) => response.end(Buffer.alloc(CONTENT.length + 1)));
    await expect(fetchIt(published)).rejects.toThrow("sends more than the published 300000 bytes");
    expect(ranges).toHaveLength(1);
  });

  it("keeps a good file that is there, without asking anybody", async () => {
    const { published, ranges } = await serve(honest);
    await fetchIt(published);
    expect(await fetchIt(published)).toBe(true);
    expect(ranges).toHaveLength(1);
  });

  it("leaves another file that is in the place alone", async () => {
    const { published, ranges } = await serve(honest);
    await leavePartial(Buffer.alloc(0));
    writeFileSync(target, "mine");
    await expect(fetchIt(published)).rejects.toThrow("another file is there, not the published ViT-X.pt");
    expect(readFileSync(target, "utf8")).toBe("mine");
    expect(ranges).toHaveLength(0);
  });

  it("finds the file below a mirror's address", async () => {
    const asked: (string | undefined)[] = [];
    const { published } = await serve((request, response, nth) => {
      asked.push(request.url);
      honest(request, response, nth);
    });
    const mirror = `${new URL(published.address).origin}/clip/`;
    await fetchIt({ ...published, address: `https://example.invalid/${SHA256}/ViT-X.pt` }, { mirror });
    expect(asked).toEqual([`/clip/${SHA256}/ViT-X.pt`]);
  });

  it("refuses a mirror that is no address", async () => {
    const { published } = await serve(honest);
    await expect(fetchIt(published, { mirror: "mirror.org" })).rejects.toThrow('the mirror "mirror.org" is no address');
  });

  it("goes through the proxy that the environment names", async () => {
    const { published } = await serve(honest);
    const address = new URL(published.address);
    const proxy = await proxyServer(address.host);
    const there = { ...published, address: `http://mirror.invalid${address.pathname}` };
    await fetchIt(there, { environment: { HTTP_PROXY: proxy.host } });
    expect(proxy.asked).toEqual([there.address]);
    expect(readFileSync(target).equals(CONTENT)).toBe(true);
  });

  it("says the whole of why nothing comes, and what to do", async () => {
    const advice = "; get it where there is a network, put it into checkpoints/ and check it with liqe weights inspect";
    const told = async (answer: Answer, change: Partial<PublishedFile> = {}) => {
      const { published, ranges } = await serve(answer);
      const message = await fetchIt({ ...published, ...change }, { retrySeconds: 0.001 }).then(
        () => "fetched",
        (error: unknown) => String(error).replace(published.address, "address").replace(advice, "; advice"),
      );
      rmSync(join(folder, "checkpoints"), { recursive: true, force: true });
      return `${ranges.length} asked: ${message.replaceAll(`${folder}/`, "").replace(/SHA-256 \w+, published is \w+/, "checksums")}`;
    };
    const status =
      (code: number, headers: Readonly<Record<string, string>> = {}): Answer =>
      (_, response) =>
        response.writeHead(code, "Said", headers).end();
    const lines = [
      await told(status(404)),
      await told(status(403)),
      await told(status(499)),
      await told(status(500)),
      await told(status(408)),
      await told(status(429)),
      await told(status(206, { "content-range": "bytes 7-9/10" })),
      await told((_, response) => response.writeHead(200).end(CONTENT), { bytes: null }),
      await told(status(404), { bytes: null }),
      await told((_, response) => response.end(CONTENT.subarray(1))),
      await told((_, response) => response.end(Buffer.concat([CONTENT, CONTENT]))),
      await told((_, response) => response.end(Buffer.alloc(CONTENT.length))),
      await told((_, response) => response.end("ab"), { bytes: 2 }),
    ];
    expect(`\n${lines.join("\n")}\n`).toMatchInlineSnapshot(`
      "
      1 asked: CheckpointError: address: cannot be downloaded, answers 404 Said; advice
      1 asked: CheckpointError: address: cannot be downloaded, answers 403 Said; advice
      1 asked: CheckpointError: address: cannot be downloaded, answers 499 Said; advice
      5 asked: CheckpointError: address: cannot be downloaded, answers 500 Said; advice
      5 asked: CheckpointError: address: cannot be downloaded, answers 408 Said; advice
      5 asked: CheckpointError: address: cannot be downloaded, answers 429 Said; advice
      1 asked: CheckpointError: address: cannot be downloaded, answers 206 Said; advice
      1 asked: CheckpointError: address: cannot be downloaded, does not say how many bytes the file has; advice
      1 asked: CheckpointError: address: cannot be downloaded, answers 404 Said; advice
      5 asked: CheckpointError: address: cannot be downloaded, the connection ended after 299999 of 300000 bytes; advice
      1 asked: CheckpointError: address: cannot be downloaded, sends more than the published 300000 bytes; advice
      1 asked: CheckpointError: checkpoints/ViT-X.pt: what came has checksums; it was thrown away, try again
      1 asked: CheckpointError: checkpoints/ViT-X.pt: what came has checksums; it was thrown away, try again
      "
    `);
  });

  it("says through which proxy nothing came, and that the mirror is none", async () => {
    const { published } = await serve(honest);
    const there = { ...published, address: "http://user:secret@weights.invalid/a/ViT-X.pt" };
    const gone = fetchIt(there, { environment: { HTTP_PROXY: "http://127.0.0.1:9" }, retrySeconds: 0.001 });
    await expect(gone).rejects.toThrow(
      /^http:\/\/weights\.invalid\/a\/ViT-X\.pt: cannot be downloaded through the proxy 127\.0\.0\.1:9, .*; get it where/,
    );
    await expect(fetchIt(published, { mirror: "mirror.org" })).rejects.toThrow(
      new ConfigError('weights fetch: the mirror "mirror.org" is no address; it begins with https://'),
    );
    await expect(fetchIt(published, { environment: { HTTP_PROXY: "socks5://127.0.0.1:9" } })).rejects.toThrow(
      ConfigError,
    );
  });

  it("names the file that is in its place", async () => {
    const { published } = await serve(honest);
    await leavePartial(Buffer.alloc(0));
    writeFileSync(target, Buffer.alloc(CONTENT.length));
    await expect(fetchIt(published)).rejects.toThrow(
      `${target}: another file is there, not the published ViT-X.pt; move it away first`,
    );
  });
});
