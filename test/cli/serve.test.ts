import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { toyWeights } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

const weights = await toyWeights();
const photo = join(PACKAGE_ROOT, "examples", "photos", "rocket.jpg");

/** Beside other work. */
const PATIENT = { timeout: 20_000 };

describe.skipIf(!IS_BUILT)("liqe serve", () => {
  it("answers at SIGTERM what has begun, with the line of predict --json, and ends with 0", async () => {
    const program = join(PACKAGE_ROOT, "bin", "liqe.js");
    const child = spawn(process.execPath, [program, "serve", "--checkpoint", weights, "--port", "0"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let notices = "";
    child.stderr.on("data", (chunk: Buffer) => (notices += chunk.toString()));
    const ended = once(child, "close");
    const [address] = (await once(createInterface(child.stdout), "line")) as [string]; // of text
    const bytes = readFileSync(photo);
    const socket = connect(Number(new URL(address).port), "127.0.0.1");
    let answer = "";
    socket.on("data", (data) => (answer += data.toString()));
    const head = [
      `POST /score?name=${photo} HTTP/1.1`,
      "host: x",
      "connection: close",
      `content-length: ${bytes.length}`,
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    socket.write(bytes.subarray(0, 1000));
    const inWork = async () => (await (await fetch(`${address}/metrics`)).text()).includes("liqe_queue_length 1\n");
    await expect.poll(inWork, PATIENT).toBe(true);
    child.kill("SIGTERM");
    await expect.poll(() => notices, PATIENT).toContain("SIGTERM: finishing what is in work");
    socket.write(bytes.subarray(1000));
    expect(await ended).toEqual([0, null]);
    const { output } = liqe(["predict", photo, "--checkpoint", weights, "--json"]);
    expect(`${answer.split("\r\n\r\n")[1] ?? ""}\n`).toBe(output);
  });

  it("ends with 2 where others could reach it without a token, and at a port that is none", () => {
    const refused = liqe(["serve", "--checkpoint", weights, "--host", "0.0.0.0"]);
    expect([refused.exitCode, refused.output]).toEqual([2, ""]);
    expect(refused.messages).toMatch(/^--host 0\.0\.0\.0: others can reach it there; give --token T/);
    expect(liqe(["serve", "--checkpoint", weights, "--port", "70000"]).exitCode).toBe(2);
  });
});
