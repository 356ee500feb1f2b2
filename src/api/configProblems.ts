/** What zod found in a config, in words for the person who wrote it. */
import { z } from "zod";
import { didYouMean } from "../base/text.js";

/** A value longer than this is not worth repeating in a message. */
const LONGEST_VALUE = 60;

/**
 * One line for each thing that is wrong: its path in the file, what it is, and for an unknown key the nearest known.
 *
 * @param schema  what the config was checked against; the known keys are read from it
 * @param issues  of a `safeParse` with `reportInput`
 */
export function configProblems(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): string[] {
  const shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [`${pathOf(issue.path)}: ${complaintOf(issue)}`];
    const known = keysAt(shape, issue.path);
    return issue.keys.map((key) => `${pathOf([...issue.path, key])}: unknown key${didYouMean(key, known)}`);
  });
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "(top level)" : path.join(".");
}

function complaintOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "custom") return issue.message;
  if (issue.code === "invalid_type" && issue.input === undefined) return `is missing; expected ${issue.expected}`;
  return `${expectation(issue)}, got ${shown(issue.input)}`;
}

/** zod says "Too small: expected number to be >0": the part after the colon is enough, since the value follows. */
function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_union") return issue.errors.flat().map(expectation).join(" or ");
  return issue.message.replace(/^[\w ]+: /, "").replace(/, received .*$/, "");
}

function shown(value: unknown): string {
  const isNumber = typeof value === "number"; // JSON has neither NaN nor infinity
  const text = value === undefined ? "nothing" : isNumber ? String(value) : JSON.stringify(value);
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}...`;
}

/** The names that the object at `path` may have. */
function keysAt(shape: z.core.JSONSchema.JSONSchema, path: readonly PropertyKey[]): string[] {
  let here: z.core.JSONSchema._JSONSchema | undefined = shape;
  for (const step of path) {
    if (typeof here !== "object") return [];
    here = typeof step === "number" && !Array.isArray(here.items) ? here.items : here.properties?.[String(step)];
  }
  return typeof here === "object" ? Object.keys(here.properties ?? {}) : [];
}
