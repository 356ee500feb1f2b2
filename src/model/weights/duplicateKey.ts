/** A string, or one of the signs that matter, in JSON. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;

/**
 * The first key that stands twice in one object of a JSON text, or null. JSON.parse keeps the last such value without
 * a word, other readers the first: a file that two programs read differently is refused.
 *
 * @param text valid JSON
 */
export function duplicateKey(text: string): string | null {
  const objects: Set<string>[] = []; // keys of the open objects; arrays have an empty set
  let last = "";
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") objects.push(new Set());
    else if (token === "}" || token === "]") objects.pop();
    else if (token === ":") {
      const keys = objects.at(-1);
      const key = JSON.parse(last) as string; // the token before a colon is a string
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
    last = token;
  }
  return null;
}
