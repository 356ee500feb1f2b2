import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const INSTALL_LIMIT_MS = 180_000;

/** The system's Chromium, installed first where a container's root may do so; undefined where there is none. */
export const CHROMIUM = findChromium() ?? (mayInstall() ? installChromium() : undefined);

/** Without its sandbox, which containers do not allow: it opens our own pages only. */
export function launchChromium(): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error("launchChromium: there is no Chromium; skip the test");
  return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
}

function findChromium(): string | undefined {
  return PLACES.find((file) => existsSync(file));
}

function mayInstall(): boolean {
  return process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
}

function installChromium(): string | undefined {
  const command = "apt-get -qq update && apt-get -qq install --no-install-recommends --yes chromium";
  spawnSync("sh", ["-c", command], {
    timeout: INSTALL_LIMIT_MS,
    stdio: "ignore",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  return findChromium();
}
