import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bindingFile, type CachedFlavor, flavorFolder } from "../../../src/engine/install/cache.js";
import { preferFlavor } from "../../../src/engine/install/install.js";
import { findInstalledEngine, listInstalled, writeFileList } from "../../../src/engine/install/installed.js";
import { packageFolder } from "../../../src/engine/packages.js";
import { temporaryFolder } from "../temporary.js";

/** Files with the right names, which are looked at and not loaded. */
async function pretend(flavor: CachedFlavor): Promise<void> {
  const library = join(flavorFolder(flavor), "tensorflow", "libtensorflow_cc.so.2");
  for (const path of [library, bindingFile(flavor)]) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "x");
  }
  await writeFileList(flavorFolder(flavor), []);
}

const cachedFlavors = () => listInstalled().flatMap(({ flavor }) => (flavor === "official" ? [] : [flavor]));

describe.skipIf(packageFolder("@tensorflow/tfjs-node-gpu") === null)("findNative", () => {
  beforeEach(() => {
    vi.stubEnv("XDG_CACHE_HOME", temporaryFolder());
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it("takes what was installed last, where there are several", async () => {
    await pretend("cpu");
    await pretend("gpu");
    expect(cachedFlavors()).toEqual(["cpu", "gpu"]);
    await preferFlavor("gpu");
    expect(findInstalledEngine()).toMatchObject({ ok: true, engine: { flavor: "gpu", binding: bindingFile("gpu") } });
    await preferFlavor("cpu");
    expect(findInstalledEngine()).toMatchObject({ ok: true, engine: { flavor: "cpu" } });
  });

  it("takes no engine whose binding was not proved yet", async () => {
    await pretend("cpu");
    rmSync(bindingFile("cpu"));
    expect(cachedFlavors()).toEqual([]);
  });

  it("says which file is missing of a damaged one", async () => {
    await pretend("cpu");
    await preferFlavor("cpu");
    rmSync(join(flavorFolder("cpu"), "tensorflow"), { recursive: true });
    expect(findInstalledEngine()).toMatchObject({
      ok: false,
      reason: expect.stringContaining("libtensorflow_cc.so.2") as string,
    }); // stands for a string
  });
});
