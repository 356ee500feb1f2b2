import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { ReportProgress } from "../../../src/base/types.js";
import { findDamage } from "../../../src/engine/install/installed.js";
import { provideFolder } from "../../../src/engine/install/libraries.js";
import { compile } from "../../support/compiled.js";
import { LIBRARY, LIBRARY_BYTES, makeFakeWheel } from "../fakeWheel.js";
import { partsOf, processToken } from "../../../src/base/processes.js";
import { temporaryFolder } from "../temporary.js";

const ignore = () => undefined;

describe("provideFolder", () => {
  const made = mkdtempSync(join(tmpdir(), "liqe-wheel-"));
  const wheel = makeFakeWheel(made);
  afterAll(() => {
    rmSync(made, { recursive: true, force: true });
  });
  let engines: string;
  let target: string;
  beforeEach(() => {
    const folder = temporaryFolder();
    vi.stubEnv("XDG_CACHE_HOME", folder);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    engines = join(folder, "engine");
    target = join(engines, "cpu");
  });
  const provide = (given = [wheel.path]) => provideFolder(target, wheel.parts, { given, report: ignore });

  it("unpacks the libraries and the headers of the C API, and nothing else", async () => {
    await provide();
    const files = readdirSync(target, { recursive: true, encoding: "utf8" }).filter((path) => /\.\w+$/.test(path));
    expect(files.sort()).toEqual([
      "contents.json",
      "tensorflow/include/tensorflow/c/c_api.h",
      "tensorflow/libtensorflow_cc.so.2",
      "tensorflow/libtensorflow_framework.so.2",
    ]);
    const packed = readFileSync(join(made, "tree", LIBRARY));
    expect(readFileSync(join(target, LIBRARY)).equals(packed)).toBe(true); // `toEqual` takes seconds for so many bytes
    expect(findDamage(target)).toBeNull();
  });

  it("reports the bytes of the check and of what is unpacked up to their totals", async () => {
    const last = new Map<string, readonly [number, number]>();
    const report: ReportProgress = ({ label, done, total }) => {
      last.set(label, [done, total]);
    };
    await provideFolder(target, wheel.parts, { given: [wheel.path], report });
    const { bytes } = wheel.parts.wheels[0] ?? { bytes: NaN };
    const unpacked = LIBRARY_BYTES + "framework".length + "// header".length;
    expect(Object.fromEntries(last)).toEqual({
      "check tensorflow-cpu": [bytes, bytes],
      "unpack tensorflow-cpu": [unpacked, unpacked],
    });
  });

  it("refuses a wheel of another checksum, and leaves nothing", async () => {
    const [{ file } = { file: "" }] = wheel.parts.wheels;
    const short = join(temporaryFolder(), file);
    writeFileSync(short, readFileSync(wheel.path).subarray(0, 1000));
    await expect(provide([short])).rejects.toThrow(/SHA-256 is [0-9a-f]{64} \(1000 bytes\), but tensorflow_cpu-0.0.1/);
    expect(readdirSync(engines)).toEqual([]);
  });

  it("refuses a file that is no wheel of the flavour, and says which ones are", async () => {
    const stranger = join(wheel.path, "..", "numpy-2.0-cp312-cp312-linux_x86_64.whl");
    await expect(provide([stranger])).rejects.toThrow(/numpy-2\.0.* is not what[^]*tensorflow_cpu-0\.0\.1/);
  });

  it("says how much room is needed where there is too little", async () => {
    const greedy = { ...wheel.parts, unpackedBytes: 1e18 };
    const provided = provideFolder(target, greedy, { given: [wheel.path], report: ignore });
    await expect(provided).rejects.toThrow("1000000000.0 GB are needed");
  });

  it("makes a folder again whose library was cut short", async () => {
    await provide();
    truncateSync(join(target, LIBRARY), 10);
    expect(findDamage(target)).toContain(`${LIBRARY} has not its ${LIBRARY_BYTES} bytes`);
    await provide();
    expect(findDamage(target)).toBeNull();
  });

  it("gives two installations at once one whole folder, and leaves nothing beside it", async () => {
    await Promise.all([provide(), provide(), provide()]);
    expect(readdirSync(engines)).toEqual(["cpu"]);
    expect(findDamage(target)).toBeNull();
  });

  it("shows nothing of an installation killed while it unpacks, and the next one sweeps and succeeds", async () => {
    const compiled = compile(["base", "engine"]);
    onTestFinished(compiled.remove);
    const died = compiled.run(`
      import { provideFolder } from "./src/engine/install/libraries.js";
      const [target, parts, wheel] = ${JSON.stringify([target, wheel.parts, wheel.path])};
      const report = ({ label, done, total }) => {
        if (label.startsWith("unpack") && done > total / 2) process.kill(process.pid, "SIGKILL");
      };
      await provideFolder(target, parts, { given: [wheel], report });
    `);
    expect(died.signal).toBe("SIGKILL");
    expect(existsSync(target)).toBe(false);
    const [partial = ""] = readdirSync(engines);
    expect(readdirSync(join(engines, partial), { recursive: true })).toContain(LIBRARY);

    await provide();
    expect(findDamage(target)).toBeNull();
    expect(readdirSync(engines)).toEqual(["cpu"]);
  });

  it("leaves alone what another living process or another machine is making", async () => {
    const started = readFileSync(`/proc/${process.pid}/stat`, "latin1").split(") ").at(-1)?.split(" ")[19] ?? "";
    const { host } = partsOf(processToken());
    const alive = `.partial-${host}-${process.pid}-${started}-aaaaaa`;
    const reborn = `.partial-${host}-${process.pid}-1-bbbbbb`; // our id, but not our start
    const foreign = ".partial-elsewhere-1-1-cccccc";
    for (const name of [alive, reborn, foreign]) {
      mkdirSync(join(engines, name), { recursive: true });
      writeFileSync(join(engines, name, "file"), "");
    }
    await provide();
    expect(readdirSync(engines).sort()).toEqual([foreign, alive, "cpu"].sort());
  });
});
