import { describe, expect, it } from "vitest";
import {
  CheckpointError,
  ConfigError,
  DataError,
  DiskError,
  EngineError,
  NonFiniteLossError,
  NoSpaceError,
  StalledReadError,
} from "../../src/base/errors.js";
import { describeError, exitCodeOf } from "../../src/cli/exitCodes.js";

const noSpace = Object.assign(new Error("write failed"), { code: "ENOSPC" });

describe("exitCodeOf", () => {
  it.each([
    [new ConfigError("x"), 2],
    [new DataError("x"), 3],
    [new CheckpointError("x"), 4],
    [new EngineError("x"), 5],
    [new NonFiniteLossError("x"), 6],
    [noSpace, 6],
    [Object.assign(new Error("write failed"), { code: "EFBIG" }), 6],
    [new NoSpaceError("x"), 6],
    [Object.assign(new Error("EIO: i/o error, write"), { code: "EIO" }), 6],
    [new DiskError("x"), 6],
    [new StalledReadError("x", []), 3],
    [Object.assign(new Error("x"), { code: "EROFS", path: "/a" }), 2],
    [Object.assign(new Error("x"), { code: "ENOENT", path: "/a" }), 1], // as likely our own mistake
    [Object.assign(new Error("x"), { code: "EACCES" }), 1], // not about a file
    [new TypeError("x"), 1],
    ["not even an error", 1],
  ])("gives %s the contract's code %i", (error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });
});

describe("describeError", () => {
  it("shows our own message whole and without a stack", () => {
    expect(describeError(new ConfigError("a.yaml: 1 problem\n  b: c"), false)).toBe("a.yaml: 1 problem\n  b: c");
  });

  it("says which place cannot be read or written, and why", () => {
    const error = Object.assign(new Error("ENOTDIR: not a directory, mkdir '/a/b'"), { code: "ENOTDIR", path: "/a/b" });
    expect(describeError(error, false)).toBe(
      "/a/b: a part of the path is a file, not a folder; name another place, or change this one",
    );
  });

  it("names the file that was to be written, and not the passing one beside it", () => {
    const path = "/a/.tmp-scores.csv-8de648e2-07e3-464b-9027-b048f76a6ee7";
    const error = Object.assign(new Error(`EACCES: permission denied, open '${path}'`), { code: "EACCES", path });
    expect(describeError(error, false)).toContain("/a/scores.csv: permission is denied");
    const full = Object.assign(new Error(`ENOSPC: no space left on device, write '${path}' beside '${path}'`), {
      code: "ENOSPC",
    });
    expect(describeError(full, false)).toContain("write '/a/scores.csv' beside '/a/scores.csv': there is no room");
  });

  it("says of a full and of a failing disk what to do", () => {
    const of = (code: string) => describeError(Object.assign(new Error(`${code}: write '/a/b'`), { code }), false);
    expect(of("ENOSPC")).toBe("ENOSPC: write '/a/b': there is no room; make some and try again");
    expect(of("EIO")).toBe("EIO: write '/a/b': the disk fails; mend it or name another place, and try again");
  });

  it("shows one line of an error that nobody planned, and the way to its stack", () => {
    expect(describeError(new TypeError("x is undefined\nat y"), false)).toMatch(
      /^unexpected: x is undefined\nRun again with LIQE_DEBUG=1/,
    );
  });

  it("shows the stack of either with LIQE_DEBUG=1", () => {
    expect(describeError(new ConfigError("a"), true)).toContain("exitCodes.test.ts");
  });
});
