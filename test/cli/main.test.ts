import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT, packageVersion } from "../../src/base/packageInfo.js";
import { COMMAND_NAMES } from "../../src/cli/commandTable.js";
import { IS_BUILT, liqe } from "./liqe.js";
import { mainOutcome } from "./mainOutcome.js";

/** More lines than this do not fit on a screen. */
const ONE_SCREEN = 24;

describe.skipIf(!IS_BUILT)("liqe (the compiled program)", () => {
  it("lists every command in its help, with an example", () => {
    const { exitCode, output, messages } = liqe(["--help"]);
    expect({ exitCode, messages }).toEqual({ exitCode: 0, messages: "" });
    for (const name of COMMAND_NAMES) expect(output).toMatch(new RegExp(`^ {2}liqe ${name} `, "m"));
    expect(output).toContain("liqe train --config quickstart.yaml");
  });

  it("loads no engine, no decoder and no schema for its help", () => {
    // Node reports each module it loads from this level on.
    const { messages } = liqe(["--help"], { env: { NODE_DEBUG: "module,esm" } });
    expect(messages).toContain("yargs");
    for (const heavy of ["@tensorflow", "node_modules/sharp", "node_modules/zod", "node_modules/yaml"]) {
      expect(messages).not.toContain(heavy);
    }
  });

  it("says its version", () => {
    expect(liqe(["--version"])).toEqual({ exitCode: 0, output: `${packageVersion()}\n`, messages: "" });
  });

  it("names the configs there are, and the nearest, where one is not there", () => {
    const { exitCode, messages } = liqe(["train", "--config", "kadit.yaml"]);
    expect(exitCode).toBe(2);
    expect(messages).toContain('kadit.yaml: no such config; did you mean "kadid.yaml"?');
    expect(messages).not.toMatch(/^ +at /m); // no stack
    expect(messages.split("\n").length).toBeLessThan(ONE_SCREEN);
  });

  it("judges --set by the schema, with the nearest key", () => {
    const { exitCode, messages } = liqe(["train", "--config", "smoke.yaml", "--set", "train.epoch=3"]);
    expect(exitCode).toBe(2);
    expect(messages).toContain('train.epoch: unknown key; did you mean "epochs"?');
  });
});

describe("main", () => {
  it.each([
    [["trian"], 'liqe: unknown command "trian"; did you mean "train"?\nSee "liqe --help".\n'],
    [["data", "chek"], 'liqe data: unknown command "chek"; did you mean "check"?\nSee "liqe data --help".\n'],
    [
      ["data"],
      'liqe data: which one? list, describe, prepare, check, split, convert, synthesize\nSee "liqe data --help".\n',
    ],
    [
      ["data", "check", "--config", "kadid.yaml", "--list", "a.csv"],
      'liqe data check: --config and --list do not go together\nSee "liqe data check --help".\n',
    ],
    [
      ["evaluate", "--checkpoint", "run", "--list", "a.csv"],
      'liqe evaluate: --list needs --images beside it\nSee "liqe evaluate --help".\n',
    ],
    [["compare", "-", "a.jpg"], "liqe compare: - is a list of images, for --against MODEL --out DIR; name the two images\n"], // prettier-ignore
    [["--hlep"], 'liqe: unknown option "--hlep"; did you mean "--help"?\nSee "liqe --help".\n'],
    [["predict"], 'liqe predict: needs <paths..>\nSee "liqe predict --help".\n'],
    [[], 'liqe: which command?\nSee "liqe --help".\n'],
    [
      ["train", "--conifg", "kadid.yaml"],
      'liqe train: unknown option "--conifg"; did you mean "--config"?\nSee "liqe train --help".\n',
    ],
    [["train", "--config"], 'liqe train: --config needs a value\nSee "liqe train --help".\n'],
    [["train", "--config", "a", "--out", ""], 'liqe train: --out needs a value\nSee "liqe train --help".\n'],
    [["train", "--resume="], 'liqe train: --resume needs a value\nSee "liqe train --help".\n'],
    [["predict", "", "--checkpoint", "a"], 'liqe predict: one argument is ""\nSee "liqe predict --help".\n'],
    [
      ["weights", "convert", "a.pt", "--out", "b.safetensors", "--image-size", "big"],
      'liqe weights convert: --image-size: must be a whole number of at least 1, got "big"\nSee "liqe weights convert --help".\n',
    ],
    [
      ["train", "--config", "a", "--config", "b"],
      'liqe train: --config is given twice; which one counts?\nSee "liqe train --help".\n',
    ],
    [
      ["train", "--config", "smoke.yaml", "--engine", "gpu"],
      'liqe train: --engine must be one of "auto", "native", "wasm", got "gpu"\nSee "liqe train --help".\n',
    ],
    [
      ["train", "--config", "smoke.yaml", "--threads", "many"],
      'liqe train: --threads: must be a whole number of at least 1, got "many"\nSee "liqe train --help".\n',
    ],
    [
      ["train", "--config", "smoke.yaml", "--split", "0"],
      '--split: must be a split\'s number or a range such as 1-10, got "0"\n',
    ],
  ])("answers %j with what is wrong and exit code 2", async (args, messages) => {
    expect(await mainOutcome(args)).toEqual({ exitCode: 2, output: "", messages });
  });

  it.each([
    ["--predictions a.csv --crops 3 --seen keep", "--crops, --seen have no effect with --predictions, whose scores are there already"],
    ["--predictions a.csv --split 1-2", "--split has no effect on --predictions without --config"],
    ["--predictions a.csv --list l.csv --subset val", "--subset has no effect on --predictions without --config"],
    ["--predictions a.csv --set data.root=/x", "--set has no effect on --predictions without --config"],
    ["--checkpoint run --column score", "--column has no effect without --predictions"],
    ["--checkpoint run --pairs p.csv --subset val --protocol raw", "--subset, --protocol have no effect with --pairs"],
    ["--predictions a.csv --pairs p.csv --images i --no-follow-links", "--images, --follow-links have no effect with --pairs and --predictions, as no image is opened"],
    ["--runs checkpoints --protocol raw", "--runs goes with --json alone; the runs have their results already"],
  ])("refuses options of evaluate that would silently do nothing: %s", async (options, complaint) => {
    const messages = `liqe evaluate: ${complaint}\n`;
    expect(await mainOutcome(["evaluate", ...options.split(" ")])).toEqual({ exitCode: 2, output: "", messages });
  }); // prettier-ignore
});

describe("bin/liqe.js", () => {
  it("is what package.json names", () => {
    expect(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8")).toContain('"liqe": "bin/liqe.js"');
  });
});
