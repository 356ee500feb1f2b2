import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfigError, StalledReadError } from "../../src/base/errors.js";
import { requireUnlocked, withLock } from "../../src/base/lock.js";
import { partsOf, processToken } from "../../src/base/processes.js";
import { temporaryFolder } from "../support/runs.js";

const { host } = partsOf(processToken());

/** When a process started, as Linux says it; "none" elsewhere. */
function startOf(pid: number): string {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) ? (readFileSync(file, "latin1").split(") ").at(-1)?.split(" ")[19] ?? "none") : "none";
}

/** Marks the folder as a process would that shows itself at this moment. */
function markBy(folder: string, mark: string, shownMsAgo = 0): string {
  const file = join(folder, `.running-${mark}`);
  writeFileSync(file, "");
  writeFileSync(file, String(statSync(file).ino));
  const shown = new Date(Date.now() - shownMsAgo);
  utimesSync(file, shown, shown);
  return file;
}

const LIVING = `${host}-${process.ppid}-${startOf(process.ppid)}`;
const DEAD = `${host}-${process.ppid}-1`;
const ELSEWHERE = "another.machine-17-4711";

describe("marked", () => {
  it("marks the folder while it works, and not after, whatever the end", async () => {
    const folder = temporaryFolder();
    expect(await withLock(folder, () => Promise.resolve(readdirSync(folder)))).toEqual([`.running-${processToken()}`]);
    expect(readdirSync(folder)).toEqual([]);
    await expect(withLock(folder, () => Promise.reject(new Error("ended badly")))).rejects.toThrow("ended badly");
    expect(readdirSync(folder)).toEqual([]);
  });

  it("does not start where another process works, and leaves that one's mark alone", async () => {
    const folder = temporaryFolder();
    const other = markBy(folder, LIVING);
    let hasStarted = false;
    const refused = withLock(folder, () => {
      hasStarted = true;
      return Promise.resolve();
    });
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(`${folder}: process ${process.ppid} is at work on it`);
    expect(hasStarted).toBe(false);
    expect(readdirSync(folder)).toEqual([other.slice(folder.length + 1)]);
  });

  it("waits for no disk where reads hang: its mark stays, to be removed by the next", async () => {
    const folder = temporaryFolder();
    await expect(withLock(folder, () => Promise.reject(new StalledReadError("hangs", [])))).rejects.toThrow("hangs");
    expect(readdirSync(folder)).toEqual([`.running-${processToken()}`]);
  });
});

describe("refuseOthers", () => {
  it("removes a dead process's mark, and has nothing against a folder that is not there", async () => {
    const folder = temporaryFolder();
    markBy(folder, DEAD);
    await requireUnlocked(folder);
    expect(readdirSync(folder)).toEqual([]);
    await requireUnlocked(join(folder, "none"));
  });

  it("believes a process of another container whose host has the same name, and whose id is none here", async () => {
    const folder = temporaryFolder();
    const twin = host.replace(/\.[0-9a-f]{8}$/, ".00000000");
    expect(twin).not.toBe(host);
    markBy(folder, `${twin}-${process.ppid}-1`);
    await expect(requireUnlocked(folder)).rejects.toThrow(`process ${process.ppid} of ${twin} is at work on it`);
  });

  it("believes another machine's process for a quarter of an hour, and says which file is in the way", async () => {
    const folder = temporaryFolder();
    const file = markBy(folder, ELSEWHERE, 14 * 60_000);
    await expect(requireUnlocked(folder)).rejects.toThrow(
      `process 17 of another.machine is at work on it, and showed itself 14 min ago; wait for it, or, if it is no more, remove ${file}`,
    );
    markBy(folder, ELSEWHERE, 16 * 60_000);
    await requireUnlocked(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ["on this machine", LIVING],
    ["on another one", ELSEWHERE],
  ])("knows a folder that was copied while a process %s worked on the original", async (_, mark) => {
    const [original, copy] = [temporaryFolder(), temporaryFolder()];
    markBy(original, mark);
    mkdirSync(join(copy, "run"));
    cpSync(original, join(copy, "run"), { recursive: true });
    await requireUnlocked(join(copy, "run"));
    expect(readdirSync(join(copy, "run"))).toEqual([]);
    await expect(requireUnlocked(original)).rejects.toThrow(ConfigError);
  });
});
