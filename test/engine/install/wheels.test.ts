import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { downloadByAddress, downloadWithPip, type Pip } from "../../../src/engine/install/wheels.js";
import { ConfigError } from "../../../src/base/errors.js";
import { httpServer, proxyServer } from "../../support/proxyServer.js";
import { temporaryFolder } from "../temporary.js";

const FILE = "tensorflow_cpu-0.0.1-cp312-cp312-manylinux_2_27_x86_64.whl";
const PIN = { file: FILE, bytes: 5, sha256: "" };
const PAGE = "/simple/tensorflow-cpu/";

/** A package index on this machine; returns its address, which PIP_INDEX_URL names during the test. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  login = "",
): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo; // of a listening TCP server
  vi.stubEnv("PIP_INDEX_URL", `http://${login}127.0.0.1:${port}/simple/`);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    server.close();
  });
  return `http://127.0.0.1:${port}`;
}

const download = () => downloadByAddress({ pin: PIN, folder: temporaryFolder(), report: () => undefined });

describe("downloadByAddress", () => {
  it("finds the file in the index's JSON, by its full name", async () => {
    const files = [{ url: `/files/x${FILE}` }, { url: `/files/${FILE}` }];
    await serve(({ url }, response) => {
      response.setHeader("content-type", "application/vnd.pypi.simple.v1+json");
      response.end(url === PAGE ? JSON.stringify({ files }) : url === `/files/${FILE}` ? "wheel" : "other");
    });
    expect(readFileSync(await download(), "utf8")).toBe("wheel");
  });

  it("finds it in a mirror's HTML, relative to the page and with a checksum behind it", async () => {
    await serve(({ url }, response) => {
      response.setHeader("content-type", "text/html");
      response.end(url === PAGE ? `<a rel="x" href='../../files/${FILE}#sha256=0'>${FILE}</a>` : "wheel");
    });
    expect(readFileSync(await download(), "utf8")).toBe("wheel");
  });

  it("sends the password of the address, and shows it in no message", async () => {
    const seen: (string | undefined)[] = [];
    const address = await serve(({ headers }, response) => {
      seen.push(headers.authorization);
      response.end("<html></html>");
    }, "me:secret@");
    await expect(download()).rejects.toThrow(`${address}${PAGE} does not list ${FILE}`);
    await expect(download()).rejects.not.toThrow("secret");
    expect(seen[0]).toBe(`Basic ${Buffer.from("me:secret").toString("base64")}`);
  });

  it("says what the index answered, and the two ways out", async () => {
    await serve((_request, response) => {
      response.statusCode = 403;
      response.end();
    });
    await expect(download()).rejects.toThrow(/answers 403 Forbidden.*PIP_INDEX_URL.*--wheel FILE/);
  });

  it("says why where nobody answers", async () => {
    vi.stubEnv("PIP_INDEX_URL", "http://127.0.0.1:9/simple"); // the discard port: refused
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    await expect(download()).rejects.toThrow(
      /cannot be downloaded from http:\/\/127\.0\.0\.1:9\/simple \(fetch failed/,
    );
  });
});

describe("downloads of wheels", () => {
  it.each(["http_proxy", "HTTP_PROXY"])("go through the proxy of %s, page and file", async (name) => {
    const { host } = await httpServer(({ url }, response) => {
      response.setHeader("content-type", "text/html");
      response.end(url === PAGE ? `<a href="/files/${FILE}">${FILE}</a>` : "wheel");
    });
    const proxy = await proxyServer(host);
    vi.stubEnv("PIP_INDEX_URL", "http://index.invalid/simple");
    vi.stubEnv(name, proxy.host);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    expect(readFileSync(await download(), "utf8")).toBe("wheel");
    expect(proxy.asked).toEqual([`http://index.invalid${PAGE}`, `http://index.invalid/files/${FILE}`]);
  });

  it("hand the proxy's settings to pip, which follows them itself", async () => {
    const folder = temporaryFolder();
    const target = temporaryFolder();
    const pip = fakePip(folder, `echo "$HTTPS_PROXY $no_proxy" > "${target}/${PIP_FILE}"`);
    vi.stubEnv("HTTPS_PROXY", "http://p:1");
    vi.stubEnv("no_proxy", "a.b");
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const path = await downloadWithPip(pip, { pin: PIP_PIN, folder: target, report: () => undefined });
    expect(readFileSync(path, "utf8")).toBe("http://p:1 a.b\n");
  });

  it("are refused at once under a proxy that is none, without three attempts", async () => {
    vi.stubEnv("PIP_INDEX_URL", "http://index.invalid/simple");
    vi.stubEnv("http_proxy", "socks5://p:1");
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    await expect(download()).rejects.toThrow(ConfigError);
  });
});

const PIP_FILE = "nvidia_x_cu12-1.2-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl";
const PIP_PIN = { file: PIP_FILE, bytes: 5, sha256: "" };

/** A program in pip's place: writes its arguments down, then does what `script` says. */
function fakePip(folder: string, script: string): Pip {
  const program = join(folder, "pip");
  writeFileSync(program, `#!/bin/sh\necho "$@" > "${join(folder, "arguments")}"\n${script}\n`);
  chmodSync(program, 0o755);
  return [program];
}

describe("downloadWithPip", () => {
  it("asks for one version and for the platforms of its file alone, without dependencies", async () => {
    const folder = temporaryFolder();
    const target = temporaryFolder();
    const pip = fakePip(folder, `echo wheel > "${target}/${PIP_FILE}"`);
    const path = await downloadWithPip(pip, { pin: PIP_PIN, folder: target, report: () => undefined });
    expect(readFileSync(path, "utf8")).toBe("wheel\n");
    const given = readFileSync(join(folder, "arguments"), "utf8");
    expect(given).toContain("--no-deps --only-binary=:all:");
    expect(given).toContain("--python-version 3.12 --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64");
    expect(given).toContain(`--dest ${target} nvidia-x-cu12==1.2\n`);
  });

  it("ends with pip's last words and the way without it", async () => {
    const pip = fakePip(temporaryFolder(), "echo ERROR: No matching distribution found >&2; exit 1");
    const download = { pin: PIP_PIN, folder: temporaryFolder(), report: () => undefined };
    await expect(downloadWithPip(pip, download)).rejects.toThrow(
      /nvidia-x-cu12==1.2 failed:\nERROR: No matching distribution found\nGet nvidia_x_cu12-1.2.* --wheel FILE/,
    );
  });
});
