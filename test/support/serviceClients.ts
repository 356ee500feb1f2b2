/** Clients of a scoring service that is killed, ended or sent nonsense while they ask. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

/** Compiled `liqe serve`, listening; killed at the end of the test where it still runs. */
export async function startService(args: readonly string[]) {
  const child = spawn(process.execPath, [join(PACKAGE_ROOT, "bin", "liqe.js"), "serve", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  const ended = once(child, "close");
  onTestFinished(async () => {
    child.kill("SIGKILL"); // of no effect on one that has ended
    await ended;
  });
  let notices = "";
  child.stderr.on("data", (chunk: Buffer) => (notices += chunk.toString()));
  const [address] = (await once(createInterface(child.stdout), "line")) as [string]; // of text
  return { child, ended, port: Number(new URL(address).port), notices: () => notices };
}

/** What became of a request. */
export interface Outcome {
  readonly name: string;
  /** True once the service had read the request's head and asked for its body (100 Continue). */
  readonly isInWork: boolean;
  /** Of an answer that came whole, else null: the connection was refused or closed. */
  readonly status: number | null;
  readonly text: string;
}

/** A picture as a client sends it. */
export interface Picture {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Sends a picture on a connection of its own: the head, and the body once the service asks for it.
 * @param ready  waited for between the two
 */
export function postPicture(port: number, { name, bytes }: Picture, ready = () => Promise.resolve()) {
  let isInWork = false;
  let answered: () => void = () => undefined;
  const inWork = new Promise<void>((resolve) => (answered = resolve));
  const outcome = new Promise<Outcome>((resolve) => {
    const end = (status: number | null, text: string) => {
      answered();
      resolve({ name, isInWork, status, text });
    };
    const headers = { expect: "100-continue", "content-length": bytes.length };
    const sent = request({ port, path: `/score?name=${name}`, method: "POST", headers, agent: false });
    sent.on("continue", () => {
      isInWork = true;
      answered();
      void ready().then(() => sent.end(bytes));
    });
    sent.on("error", () => {
      end(null, "");
    });
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", () => {
        end(null, text);
      });
      response.on("end", () => {
        end(response.statusCode ?? null, text);
        sent.destroy();
      });
    });
    sent.flushHeaders();
  });
  return { inWork, outcome };
}

/** Sends text as it is, and hangs up at once where `isCut`. @returns status of the answer, null without one */
function sendRaw(port: number, text: string, isCut: boolean): Promise<number | null> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let heard = "";
    socket.on("error", () => undefined); // "close" follows
    socket.on("data", (data) => (heard += data.toString()));
    socket.on("close", () => {
      resolve(heard === "" ? null : Number(heard.slice(9, 12)));
    });
    socket.write(text, () => {
      if (isCut) socket.destroy();
    });
  });
}

async function sendBody(port: number, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/score`, { method: "POST", body, headers });
    await answer.text();
    return answer.status;
  } catch {
    return null; // closed while the body was on its way
  }
}

const HEAD = "POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\n";

/** Kinds of faulty uploads, with the statuses that may answer them; null is a connection that was closed. */
export const FAULTS: readonly {
  readonly kind: string;
  readonly statuses: readonly (number | null)[];
  readonly send: (port: number, picture: Uint8Array<ArrayBuffer>) => Promise<number | null>;
}[] = [
  { kind: "no picture", statuses: [422, 503], send: (port) => sendBody(port, "no picture") },
  {
    kind: "half a picture",
    statuses: [422, 503],
    send: (port, picture) => sendBody(port, picture.subarray(0, picture.length / 2)),
  },
  { kind: "oversized", statuses: [413, 503, null], send: (port) => sendBody(port, new Uint8Array(3_000_000)) },
  {
    kind: "broken multipart body",
    statuses: [400, 503],
    send: (port) => sendBody(port, "--x\r\nbroken", { "content-type": "multipart/form-data; boundary=x" }),
  },
  { kind: "malformed head", statuses: [400], send: (port) => sendRaw(port, "POST /score\0\r\n\r\n", false) },
  { kind: "cut off by the client", statuses: [null], send: (port) => sendRaw(port, `${HEAD}beginning`, true) },
  { kind: "slow", statuses: [408, 503], send: (port) => sendRaw(port, `${HEAD}slow`, false) },
];
