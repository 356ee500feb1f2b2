import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { processToken, partsOf, processState } from "../../src/base/processes.js";

const { host, pid, started } = partsOf(processToken());

/** When a process started, as Linux says it. */
function startOf(id: number): string {
  return readFileSync(`/proc/${id}/stat`, "latin1").split(") ").at(-1)?.split(" ")[19] ?? "";
}

describe("stateOfMark", () => {
  it("knows this process", () => {
    expect(Number(pid)).toBe(process.pid);
    expect(processState(processToken())).toBe("own");
  });

  it.runIf(process.platform === "linux")("knows one that is alive, and one that only has its id", () => {
    expect(processState(`${host}-${process.ppid}-${startOf(process.ppid)}`)).toBe("alive");
    expect(processState(`${host}-${process.ppid}-1`)).toBe("dead");
    expect(processState(`${host}-${pid}-1`)).toBe("dead"); // our id, but not our start
  });

  it("goes by the id alone where no start is known", () => {
    expect(processState(`${host}-${process.ppid}-none`)).toBe("alive");
    const ended = spawnSync(process.execPath, ["--version"]).pid;
    expect(processState(`${host}-${ended}-none`)).toBe("dead");
  });

  it("cannot ask another machine's process", () => {
    expect(processState(`not-${host}-${pid}-${started}`)).toBe("dead"); // no mark: a host has no dash in it
    expect(processState(`another.${host}-${pid}-${started}`)).toBe("elsewhere");
  });

  it.each(["", "x", "a-b-c", "a-1-", "a-1-2-3"])('takes "%s", no mark, for a dead one\'s', (mark) => {
    expect(processState(mark)).toBe("dead");
  });
});
