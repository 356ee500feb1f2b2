import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { seededRandom } from "../../src/base/random.js";
import { remainsOf, toyConfig } from "../support/disturbed.js";
import { temporaryFolder, toyDatabase, toyWeights } from "../support/runs.js";
import { SEED } from "./settings.js";

/** A network of its own needs a user namespace and iproute2; not every system has both. */
const HAS_NETWORK = spawnSync("unshare", ["-Urn", "ip", "link", "set", "lo", "up"]).status === 0;
const TIMES = 5;

let config = "";
beforeAll(async () => {
  const train = ", epochs: 2, stepsPerEpoch: 40, saveEverySteps: 2";
  config = toyConfig(await toyDatabase(), await toyWeights(), { train });
});

/** Two ranks in a network of their own, which is cut some time after the first step; null: never. The codes of both. */
function ranksOf(run: string, args: string, cutAfterSeconds: number | null) {
  const cut =
    cutAfterSeconds === null
      ? ""
      : `lines() { grep -c '"kind":"step"' ${run}/split-1/metrics.jsonl 2>/dev/null; }
         before=$(lines); until [ "$(lines)" != "$before" ]; do sleep .05; done
         sleep ${cutAfterSeconds.toFixed(2)}; ip link set lo down`;
  const script = `
    ip link set lo up
    run() { ${process.execPath} ${join(PACKAGE_ROOT, "bin", "liqe.js")} train --threads 1 --cluster 127.0.0.1:4001,127.0.0.1:4002 --cluster-timeout 6 --rank "$@"; }
    run 0 ${args} >/dev/null & first=$!
    run 1 --config ${config} --out ${run} >/dev/null & second=$!
    ${cut}
    wait $first; echo $?; wait $second; echo $?`;
  const { stdout, stderr } = spawnSync("unshare", ["-Urn", "bash", "-c", script], { encoding: "utf8" });
  return { codes: stdout.trim().split("\n").map(Number), messages: stderr };
}

describe.skipIf(!HAS_NETWORK)(`a run of two processes whose network is cut at random moments (seed ${SEED})`, () => {
  it("ends with 75 at both, in time, and is taken up again to the undisturbed run", () => {
    const [run, whole] = [join(temporaryFolder(), "run"), join(temporaryFolder(), "whole")];
    expect(ranksOf(whole, `--config ${config} --out ${whole}`, null).codes).toEqual([0, 0]);
    const random = seededRandom(SEED, "cuts");
    for (let i = 0; i < TIMES; i++) {
      const args = i === 0 ? `--config ${config} --out ${run}` : `--resume ${run}`;
      const { codes, messages } = ranksOf(run, args, random.uniform());
      expect([codes, messages]).toEqual([[75, 75], expect.stringMatching(/^rank 0: /m)]);
    }
    expect(ranksOf(run, `--resume ${run}`, null).codes).toEqual([0, 0]);
    expect(remainsOf(run)).toEqual(remainsOf(whole));
  });
});
