// Source text in which wrong programs sleep: each site asks whether it is the one that is awake.

/** Name of the function that sites call; a file's copy of it stands at its end. */
const AWAKE = "__mutant";

/**
 * The text with every site as a choice between what it was and what is wrong. `MUTANT=<id>` in the environment wakes one;
 * `MUTANT_HITS=<folder>` writes which sites a test file reaches: an empty file `<id>@<test file>` each.
 *
 * @param {string} text
 * @param {readonly {id: number, start: number, end: number, wrong: string | null, isBody: boolean}[]} sites
 */
export function instrument(text, sites) {
  const sorted = [...sites].sort((a, b) => a.start - b.start || b.end - a.end || a.id - b.id);
  return `${render(text, 0, text.length, sorted)}\n${COPY}`;
}

/** Text from `start` to `end`; a site in another one is in its right branch. */
function render(text, start, end, sites) {
  let out = "";
  let at = start;
  for (let k = 0; k < sites.length;) {
    const site = sites[k];
    let next = k + 1;
    while (next < sites.length && sites[next].start < site.end) next++;
    const inner = sites.slice(k + 1, next);
    out += text.slice(at, site.start);
    if (site.isBody) {
      const body = render(text, site.start + 1, site.end - 1, inner);
      out += `{ if (!${AWAKE}(${site.id})) {${body}} }`;
    } else {
      out += `(${AWAKE}(${site.id}) ? (${site.wrong}) : (${render(text, site.start, site.end, inner)}))`;
    }
    at = site.end;
    k = next;
  }
  return out + text.slice(at, end);
}

/** Works in Node's main thread, its workers and programs that it starts; asks once a site and process. */
const COPY = `
function ${AWAKE}(id) {
  const env = globalThis.process?.env ?? {};
  const all = (globalThis.__mutants ??= { awake: env.MUTANT, hits: env.MUTANT_HITS, seen: new Set() });
  if (all.hits !== undefined && !all.seen.has(id)) {
    all.seen.add(id);
    const fs = process.getBuiltinModule("node:fs");
    fs.writeFileSync(all.hits + "/" + id + "@" + (env.MUTANT_TEST ?? "none").replaceAll("/", "|"), "");
  }
  return all.awake === String(id);
}
`;
