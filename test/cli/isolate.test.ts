import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { temporaryFolder } from "../support/runs.js";
import { IS_BUILT, liqe } from "./liqe.js";

/** Bubblewrap is there and may make sandboxes, which some systems and containers do not allow. */
const MAY_ISOLATE =
  IS_BUILT && spawnSync("bwrap", ["--ro-bind", "/", "/", "--unshare-all", "--proc", "/proc", "true"]).status === 0;

const COFFEE = join(PACKAGE_ROOT, "examples", "photos", "coffee.jpg");
const MODEL = join(PACKAGE_ROOT, "models", "liqe-small");
const SAMPLE = join(PACKAGE_ROOT, "examples", "clive-sample");

/** Program that a process runs before its own: tries what code in a decoder could try, and says what was possible. */
const intruder = (probe: { port: number; socket: string; places: readonly string[]; pid: number }) => `
  import { writeFileSync, existsSync } from "node:fs";
  import { connect } from "node:net";
  if (process.argv[1]?.endsWith("liqe.js") && !process.argv.includes("--isolate")) {
    const { port, socket, places, pid } = ${JSON.stringify(probe)};
    const reach = (target) => new Promise((end) => {
      const tried = connect(target, () => { tried.destroy(); end("reached"); }).on("error", ({ code }) => end(code));
    });
    const write = (place) => { try { writeFileSync(place + "/intruder", ""); return "written"; } catch ({ code }) { return code; } };
    const see = () => { try { process.kill(pid, 0); return "seen"; } catch ({ code }) { return code; } };
    const found = { network: await reach({ port, host: "127.0.0.1" }), socket: await reach({ path: socket }), writes: places.map(write), process: see() };
    process.stderr.write("INTRUDER " + JSON.stringify(found) + "\\n");
  }`;

describe.skipIf(!MAY_ISOLATE)("liqe predict --isolate", () => {
  it("scores as without, and what runs in it reaches no network, no socket, no process and no file but the output", async () => {
    const [folder, out] = [temporaryFolder(), join(temporaryFolder(), "new")];
    const photo = join(folder, "photo.jpg"); // in the temporary folder, of which the sandbox sees what is named alone
    copyFileSync(COFFEE, photo);
    const outside = createServer().listen(0, "127.0.0.1");
    const local = createServer().listen(join(folder, "socket"));
    await Promise.all([once(outside, "listening"), once(local, "listening")]);
    try {
      const { port } = outside.address() as AddressInfo; // of a listening TCP server
      const places = [folder, PACKAGE_ROOT, process.env["HOME"] ?? "/root", out];
      const probe = intruder({ port, socket: join(folder, "socket"), places, pid: process.pid });
      const child = spawn(
        process.execPath,
        [join(PACKAGE_ROOT, "bin", "liqe.js"), "predict", photo, "--isolate", "--out", join(out, "scores.csv")],
        {
          env: { ...process.env, NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(probe)}` },
          stdio: ["ignore", "ignore", "pipe"],
        },
      );
      let messages = "";
      child.stderr.on("data", (chunk: Buffer) => (messages += chunk.toString()));
      await once(child, "close");
      expect([child.exitCode, messages]).toEqual([0, expect.stringContaining("INTRUDER")]);
      expect(JSON.parse(/^INTRUDER (.*)$/m.exec(messages)?.[1] ?? "")).toEqual({
        network: "ECONNREFUSED",
        socket: "ENOENT",
        writes: ["written", "EROFS", "EROFS", "written"], // the first into a temporary folder of its own
        process: "ESRCH",
      });
    } finally {
      outside.close();
      local.close();
    }
    const alone = liqe(["predict", photo, "--csv"]);
    expect(readFileSync(join(out, "scores.csv"), "utf8")).toBe(alone.output);
    expect([folder, PACKAGE_ROOT, out].map((place) => existsSync(join(place, "intruder")))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it("passes exit codes, messages and signals on", async () => {
    const [bad, linked] = [join(temporaryFolder(), "bad.jpg"), join(temporaryFolder(), "linked.jpg")];
    writeFileSync(linked, "no picture");
    symlinkSync(linked, bad); // both its ends are in hidden folders
    const { exitCode, messages } = liqe(["predict", bad, "--isolate"]);
    expect([exitCode, messages]).toEqual([3, expect.stringContaining(`${bad}: not an image`)]);
    const child = spawn(process.execPath, [join(PACKAGE_ROOT, "bin", "liqe.js"), "predict", "-", "--isolate"]);
    await setTimeout(1500);
    child.kill("SIGTERM");
    await once(child, "close");
    expect(child.exitCode).toBe(143);
  });

  it("reads weights and lists in it, too", () => {
    for (const args of [
      ["weights", "inspect", MODEL],
      ["data", "describe", SAMPLE],
    ]) {
      const [inside, outside] = [liqe([...args, "--isolate", "--json"]), liqe([...args, "--json"])];
      expect(inside).toEqual(outside);
      expect(outside.exitCode).toBe(0);
    }
  });
});

/** Files below a folder with their bytes, but for the folder's own path in them. */
function contentsOf(place: string): ReadonlyMap<string, string> {
  const names = readdirSync(place, { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(join(place, name)).isFile(),
  );
  return new Map(
    names.sort().map((name) => [name, readFileSync(join(place, name), "latin1").replaceAll(place, "PLACE")]),
  );
}

describe.skipIf(!MAY_ISOLATE)("liqe evaluate, export, data convert and data split in the sandbox", () => {
  it("write what they write without it", () => {
    const folder = temporaryFolder();
    const images = readdirSync(join(SAMPLE, "Images")).slice(0, 24);
    writeFileSync(join(folder, "few.csv"), `image,mos\n${images.map((name, i) => `Images/${name},${i}\n`).join("")}`);
    const source = ["--list", join(folder, "few.csv"), "--images", SAMPLE];
    const commands: readonly [name: string, words: readonly string[]][] = [
      ["evaluate", ["evaluate", "--checkpoint", MODEL, ...source, "--crops", "1", "--seen", "keep"]],
      ["export", ["export", "--checkpoint", MODEL, "--format", "tfjs"]],
      ["convert", ["data", "convert", join(folder, "few.csv"), "--images", SAMPLE, "--to", "iqa-pytorch"]],
      ["split", ["data", "split", join(folder, "few.csv"), "--images", SAMPLE, "--splits", "2"]],
    ];
    for (const [name, words] of commands) {
      const [inside, outside] = [join(folder, "inside", name), join(folder, "outside", name)];
      expect([name, liqe([...words, "--out", inside, "--isolate"]).exitCode]).toEqual([name, 0]);
      expect([name, liqe([...words, "--out", outside]).exitCode]).toEqual([name, 0]);
      const [own, other] = [contentsOf(inside), contentsOf(outside)];
      expect(own.size).toBeGreaterThan(0);
      expect(own).toEqual(other);
    }
  }, 300_000);

  it("asks for --out where results would go into the run's own folder", () => {
    const { exitCode, messages } = liqe([
      "evaluate",
      "--checkpoint",
      MODEL,
      "--list",
      "x.csv",
      "--images",
      "y",
      "--isolate",
    ]);
    expect([exitCode, messages]).toEqual([
      2,
      expect.stringContaining("--isolate: name the folder of the results by --out"),
    ]);
  });
});

describe.skipIf(!IS_BUILT)("liqe --isolate without bubblewrap", () => {
  it.each([
    ["predict", COFFEE],
    ["compare", COFFEE, COFFEE],
    ["weights", "inspect", MODEL],
    ["weights", "convert", MODEL, "--out", join(temporaryFolder(), "x.safetensors")],
    ["data", "check", "--list", "list.csv", "--images", "photos"],
    ["data", "describe", SAMPLE],
    ["data", "convert", SAMPLE, "--to", "iqa-pytorch", "--out", join(temporaryFolder(), "converted")],
    ["data", "split", SAMPLE, "--out", join(temporaryFolder(), "split")],
    ["export", "--checkpoint", MODEL, "--format", "safetensors", "--out", join(temporaryFolder(), "exported")],
    ["evaluate", "--predictions", "scores.csv", "--list", "list.csv"],
  ])("ends with 2 and says what to install, and reads nothing: %s %s", (...args) => {
    const { exitCode, messages, output } = liqe([...args, "--isolate"], { env: { PATH: temporaryFolder() } });
    expect([exitCode, output]).toEqual([2, ""]);
    expect(messages).toMatch(
      /^--isolate: needs bubblewrap \(the program bwrap of Linux\), which is not there; install/,
    );
  });
});
