/** Messages about a wrong command line. */
import { didYouMean } from "../base/text.js";
import { COMMAND_NAMES } from "./commandTable.js";

/** Options that may be given more than once, and those of one command alone. */
const REPEATABLE: readonly string[] = ["--set", "--wheel"];
const REPEATABLE_OF: Readonly<Record<string, readonly string[]>> = {
  evaluate: ["--checkpoint", "--predictions", "--config"],
  launch: ["--sweep"],
};

/** Complaints of yargs about values and options, with our words for them. */
const REWORDED: readonly { readonly pattern: RegExp; readonly words: (parts: readonly string[]) => string }[] = [
  {
    pattern: /^Not enough arguments following: (.*)$/,
    words: ([option = ""]) => `${dashed(option)} needs a value`,
  },
  {
    pattern: /Argument: (.*), Given: (.*), Choices: (.*)$/,
    words: ([option = "", given = "", choices = ""]) => `${dashed(option)} must be one of ${choices}, got ${given}`,
  },
  {
    pattern: /^Missing required arguments?: (.*)$/,
    words: ([options = ""]) => `needs ${options.split(", ").map(dashed).join(" and ")}`,
  },
  {
    pattern: /^Arguments (.*) and (.*) are mutually exclusive$/,
    words: ([one = "", other = ""]) => `${dashed(one)} and ${dashed(other)} do not go together`,
  },
  {
    pattern: /^Missing dependent arguments:\s+(\S+) -> (\S+)/,
    words: ([one = "", other = ""]) => `${dashed(one)} needs ${dashed(other)} beside it`,
  },
];

/** Complaint of the parser, before it is put into words for the user. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Complaint about an option that stands twice or has an empty value; null where there is none. */
export function findMistake(args: readonly string[]): string | null {
  const twice = optionGivenTwice(args);
  if (twice !== undefined) return `${twice} is given twice; which one counts?`;
  const empty = emptyValue(args);
  if (empty === undefined) return null;
  return empty === "" ? 'one argument is ""' : `${empty} needs a value`;
}

/** First option that was given twice although only one value could count. */
function optionGivenTwice(args: readonly string[]): string | undefined {
  const end = args.indexOf("--");
  const options = (end < 0 ? args : args.slice(0, end))
    .filter((arg) => arg.startsWith("--"))
    .map((arg) => arg.split("=", 1)[0] ?? arg);
  const repeatable = [...REPEATABLE, ...(REPEATABLE_OF[args[0] ?? ""] ?? [])];
  return options.find((option, i) => options.indexOf(option) < i && !repeatable.includes(option));
}

/** First option with an empty value, as from an unset variable of a script; "" where it was no option. */
function emptyValue(args: readonly string[]): string | undefined {
  const assigned = args.find((arg) => /^--[a-z-]+=$/.test(arg));
  if (assigned !== undefined) return assigned.slice(0, -1);
  const at = args.indexOf("");
  const before = at < 0 ? undefined : (args[at - 1] ?? "");
  return before?.startsWith("--") === false ? "" : before;
}

/**
 * Complaint of yargs in our words, with the nearest known name and the command that shows the help.
 * @param help  help of the called command, from which the names of its options and commands are read
 */
export function explainUsage(complaint: string, args: readonly string[], help: string): string {
  const command = ["liqe", ...commandWords(args, help)].join(" ");
  return `${command}: ${inOurWords(complaint, args, help)}\nSee "${command} --help".`;
}

/** Leading words of `args` that name a command and, in a group, the command in it. */
function commandWords(args: readonly string[], help: string): string[] {
  const [first, second] = args;
  if (first === undefined || !COMMAND_NAMES.includes(first)) return [];
  const isInGroup = second !== undefined && second !== "" && help.startsWith(`liqe ${first} ${second}`);
  return isInGroup ? [first, second] : [first];
}

function inOurWords(complaint: string, args: readonly string[], help: string): string {
  const first = args[0] ?? "";
  if (first.startsWith("-")) return unknownName(nameOf(first), args, help); // no command, so that is what is wrong
  const unknown = /^Unknown (?:arguments?|commands?): (.*)$/s.exec(complaint)?.[1];
  if (unknown !== undefined) return unknownNames(unknown.split(", "), args, help);
  if (complaint.startsWith("Not enough non-option arguments")) return `needs ${positionals(help)}`;
  const reworded = REWORDED.find(({ pattern }) => pattern.test(complaint));
  if (reworded === undefined) return complaint;
  const [, ...parts] = reworded.pattern.exec(complaint) ?? [];
  return reworded.words(parts);
}

/** Positional argument in the first line of the help: `liqe predict <paths..>`. */
function positionals(help: string): string {
  return /<[^>]+>/.exec(help)?.[0] ?? "another argument";
}

/** Message on unknown names, without the copies in camel case that yargs adds and the user never typed. */
function unknownNames(names: readonly string[], args: readonly string[], help: string): string {
  const typed = names.filter((name) => args.some((arg) => nameOf(arg) === name));
  return (typed.length > 0 ? typed : names).map((name) => unknownName(name, args, help)).join("\n  ");
}

function unknownName(name: string, args: readonly string[], help: string): string {
  if (!args.includes(name)) {
    const options = [...help.matchAll(/--([a-z][\w-]*)/g)].map((match) => match[1] ?? "");
    return `unknown option "${dashed(name)}"${didYouMean(dashed(name), options.map(dashed))}`;
  }
  const listed = /^Commands:\n((?: {2}.*\n)*)/m.exec(help)?.[1] ?? "";
  const commands = [...listed.matchAll(/^ {2}liqe (?:\w+ )?(\w+)/gm)].map((match) => match[1] ?? "");
  return commands.length > 0
    ? `unknown command "${name}"${didYouMean(name, commands)}`
    : `takes no "${name}"; is an option's name missing before it?`;
}

/** Name of an option: `--config=x` → `config`. */
function nameOf(arg: string): string {
  return arg.replace(/^-+/, "").split("=", 1)[0] ?? "";
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
