import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { COMMAND_NAMES } from "../../src/cli/commandTable.js";
import { mainOutcome } from "./mainOutcome.js";

/** Arguments that each parsed command line came to; no command does its work. */
const called = vi.hoisted(() => [] as unknown[]);
vi.mock(import("../../src/cli/command.js"), async (original) => {
  const { defineCommand, ...others } = await original();
  const handler = (args: unknown) => Promise.resolve(void called.push(args));
  return { ...others, defineCommand: (spec) => defineCommand({ ...spec, handler }) };
});

/** Columns of a narrow terminal; yargs asks for them once, when it is loaded. */
const NARROW = vi.hoisted(() => {
  const value = 80;
  Object.defineProperty(process.stdout, "columns", { value });
  return value;
});

const helpOf = async (command: string) => (await mainOutcome([...command.split(" "), "--help"])).output;

/** Commands below a word, as its help lists them; none where it is no group. */
const below = (name: string, help: string) =>
  [...help.matchAll(new RegExp(`^ {2}liqe ${name} ([a-z]+) `, "gm"))].map((match) => `${name} ${match[1] ?? ""}`);

const helps: (readonly [name: string, help: string])[] = [];
for (const name of COMMAND_NAMES) helps.push([name, await helpOf(name)]); // one by one: they share what catches the output
const groups = helps.filter(([, help]) => help.includes("\nCommands:\n"));
const commands = helps.flatMap(([name, help]) => (help.includes("\nCommands:\n") ? below(name, help) : [name]));

/** Lines below "Examples:" without their indentation. */
const exampleLines = (help: string) =>
  (/\nExamples:\n((?: {2}.*\n)+)/.exec(help)?.[1] ?? "")
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [line.trim()]));

/** Words of a command line as a shell gives them. */
const wordsOf = (line: string) =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");

describe("the help", () => {
  beforeEach(() => {
    called.length = 0;
  });
  afterEach(() => {
    process.exitCode = undefined;
  });

  it("is of all commands", () => {
    expect(groups.map(([name]) => name)).toEqual(["weights", "data", "config", "engine"]);
    expect(commands.length).toBeGreaterThan(COMMAND_NAMES.length);
  });

  it.each(groups)("of the group %s says where the options of its commands are", (name, help) => {
    expect(help).toContain(`\nliqe ${name} COMMAND --help has `);
  });

  it.each(commands)("of %s fits a terminal of 80 columns, each example on a line of its own", async (command) => {
    const help = await helpOf(command);
    expect(help.split("\n").filter((line) => line.length > NARROW)).toEqual([]);
    const lines = exampleLines(help);
    expect(lines.filter((line) => line.startsWith(`liqe ${command}`)).length).toBeGreaterThan(0);
    expect(lines.filter((line) => !/^# |^(?:\S+=\S+ )?liqe |^curl |^find .* \| liqe /.test(line))).toEqual([]);
  });

  it.each(commands)("of %s has examples that the program accepts, of configs that are there", async (command) => {
    const lines = exampleLines(await helpOf(command)).flatMap((line) => /^(?!# ).*?\bliqe (.*)$/.exec(line)?.[1] ?? []);
    for (const line of lines) {
      const { messages } = await mainOutcome(wordsOf(line));
      expect({ line, messages }).toEqual({ line, messages: "" });
    }
    expect(called).toHaveLength(lines.length);
    const own = lines.flatMap((line) => [...line.matchAll(/--config ([a-z][\w-]+)/g)].map((match) => match[1] ?? ""));
    expect(own.filter((config) => !existsSync(join(PACKAGE_ROOT, "configs", `${config}.yaml`)))).toEqual([]);
  });
});
