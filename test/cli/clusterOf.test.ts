import { describe, expect, it } from "vitest";
import { clusterOf, expandCounts, expandHosts } from "../../src/cli/cluster.js";

const FLAGS = { cluster: undefined, rank: undefined, clusterTimeout: undefined, clusterPublic: false };
const TWO = "10.0.0.1:8470,10.0.0.2:8470";
const workers = ["10.0.0.1:8470", "10.0.0.2:8470"];

describe("clusterOf", () => {
  it("takes processes and rank from flags, with 60 s until a silent one is lost", () => {
    const found = clusterOf({ ...FLAGS, cluster: TWO, rank: 1 }, {});
    expect(found).toEqual({ addresses: workers, rank: 1, timeoutSeconds: 60, isPublic: false });
  });

  it.each([
    ["no cluster", {}, FLAGS, undefined],
    ["an empty TF_CONFIG", { TF_CONFIG: "null" }, FLAGS, undefined],
    ["a cluster of one in TF_CONFIG", { TF_CONFIG: tfConfig({ worker: ["a:1"] }, "worker", 0) }, FLAGS, undefined],
    ["TF_CONFIG's workers", { TF_CONFIG: tfConfig({ worker: workers }, "worker", 1) }, FLAGS, [workers, 1]],
    [
      "TF_CONFIG's chief before its workers",
      { TF_CONFIG: tfConfig({ chief: ["c:1"], worker: ["a:1"] }, "worker", 0) },
      FLAGS,
      [["c:1", "a:1"], 1],
    ],
    ["Kubernetes' index", { JOB_COMPLETION_INDEX: "1" }, { ...FLAGS, cluster: TWO }, [workers, 1]],
    ["Slurm's rank", { SLURM_PROCID: "0" }, { ...FLAGS, cluster: TWO }, [workers, 0]],
    ["a flag before the environment", { SLURM_PROCID: "0" }, { ...FLAGS, cluster: TWO, rank: 1 }, [workers, 1]],
    [
      "Slurm's step",
      { SLURM_STEP_NODELIST: "n[1-2]", SLURM_STEP_TASKS_PER_NODE: "2,1", SLURM_PROCID: "2" },
      { ...FLAGS, cluster: "slurm" },
      [["n1:8470", "n1:8471", "n2:8470"], 2],
    ],
  ])("knows %s", (_, environment, flags, expected) => {
    const found = clusterOf(flags, environment);
    expect(found && [found.addresses, found.rank]).toEqual(expected);
  });

  it.each([
    ["a rank without processes", {}, { rank: 0 }, /^--rank: .*--cluster/],
    ["a rank beside Slurm's", {}, { cluster: "slurm", rank: 0 }, /^--rank: |srun$/],
    ["a timeout without processes", {}, { clusterTimeout: 9 }, /^--cluster-timeout: .*--cluster/],
    ["an index below 0", { TF_CONFIG: tfConfig({ worker: workers }, "worker", -1) }, {}, /"task" must/],
    ["no rank", {}, { cluster: TWO }, /^--rank: which process/],
    ["a rank that is none of them", {}, { cluster: TWO, rank: 2 }, /^--rank: 2 is none of the 2 processes/],
    ["an address without a port", {}, { cluster: "a,b:1", rank: 0 }, /^--cluster: "a" is no address/],
    ["a port that is none", {}, { cluster: "a:70000,b:1", rank: 0 }, /"a:70000" is no address/],
    ["one address twice", {}, { cluster: "a:1,a:1", rank: 0 }, /a:1 is named twice/],
    ["Slurm outside a step", {}, { cluster: "slurm" }, /start it with srun$/],
    ["a TF_CONFIG that is no JSON", { TF_CONFIG: "{" }, {}, /^TF_CONFIG: is no JSON/],
    ["a TF_CONFIG without a task", { TF_CONFIG: JSON.stringify({ cluster: { worker: workers } }) }, {}, /"task" must/],
  ])("refuses %s", (_, environment, flags, message) => {
    expect(() => clusterOf({ ...FLAGS, ...flags }, environment)).toThrow(message);
  });
});

describe("Slurm's lists", () => {
  it.each([
    ["gpu[01-03,7],login", ["gpu01", "gpu02", "gpu03", "gpu7", "login"]],
    ["a", ["a"]],
    ["rack[1-2]-n", ["rack1-n", "rack2-n"]],
  ])("of hosts: %s", (text, hosts) => {
    expect(expandHosts(text)).toEqual(hosts);
  });

  it("of tasks on each host", () => {
    expect(expandCounts("2(x3),1")).toEqual([2, 2, 2, 1]);
  });

  it("are refused where they are written in a way that is not known", () => {
    expect(() => expandHosts("rack[1-2]n[1-3]")).toThrow(/"rack\[1-2\]n\[1-3\]" names no hosts/);
    expect(() => expandCounts("2*3")).toThrow(/"2\*3" does not tell/);
    const step = { SLURM_STEP_NODELIST: "n[1-3]", SLURM_STEP_TASKS_PER_NODE: "2", SLURM_PROCID: "0" };
    expect(() => clusterOf({ ...FLAGS, cluster: "slurm" }, step)).toThrow(/3 hosts \(n\[1-3\]\) and tasks on 1/);
  });
});

function tfConfig(cluster: object, type: string, index: number): string {
  return JSON.stringify({ cluster, task: { type, index } });
}
