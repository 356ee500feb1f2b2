import { z } from "zod";

/** How a list of one's own tells which photograph an image is a version of. */
export const ContentRule = z
  .strictObject({
    column: z.string().min(1).optional().describe("the CSV column that names it"),
    pattern: z.string().min(1).optional().describe("a regular expression on the path: its first group, else its match"),
  })
  .refine(({ column, pattern }) => (column === undefined) !== (pattern === undefined), {
    error: 'must be one of { column: "..." } and { pattern: "..." }',
  })
  .refine(({ pattern }) => pattern === undefined || isPattern(pattern), {
    path: ["pattern"],
    error: "is no regular expression",
  })
  .readonly();
export type ContentRule = z.output<typeof ContentRule>;

function isPattern(text: string): boolean {
  try {
    new RegExp(text, "u");
    return true;
  } catch {
    return false;
  }
}

/** The content that a path tells by the rule's pattern; null where it does not match. */
export function contentByPattern(pattern: string, image: string): string | null {
  const match = new RegExp(pattern, "u").exec(image);
  return match === null ? null : (match[1] ?? match[0]);
}
