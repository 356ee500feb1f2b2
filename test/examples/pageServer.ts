import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

export interface PageServer {
  /** Of the page, without a slash at the end. */
  readonly address: string;
  readonly close: () => void;
}

/**
 * Serves a built page on this machine, under a policy that holds its workers too; `/model/tfjs/` comes from `model`, and
 * what is under `/empty/` is the same page with no model beside it, and under `/fallback/` the page again where a file is
 * missing, as some servers answer.
 */
export async function servePage(page: string, model: string, policy: string): Promise<PageServer> {
  const server = createServer(({ url = "" }, response) => {
    const name = url.replace(/\?.*$/, "").replace(/\/$/, "/index.html");
    const file = name.startsWith("/model/tfjs/")
      ? join(model, name.slice("/model/tfjs/".length))
      : join(page, name.replace(/^\/(?:empty|fallback)\//, "/"));
    response.setHeader("Content-Security-Policy", policy);
    if (!existsSync(file) && name.startsWith("/fallback/")) response.end("<!doctype html>");
    else if (!existsSync(file)) response.writeHead(404).end();
    else {
      response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
      response.end(readFileSync(file));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  return {
    address: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
