// `node scripts/house.mjs [ROOT]`: figures of src/, each beside its bar. test/project/house.test.ts holds them.
// `node scripts/house.mjs ROOT --list FIGURE`: what a figure counts.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** Lines below which a file is small: more door than room. */
const SMALL = 40;
/** Parameters from which a function takes many. */
const MANY = 4;
/** Folders that hold one file for each thing of a kind. */
const OPEN_FOLDERS = ["data/databases", "data/lists/formats", "cli/commands"];
const RELATIVE_CLAUSE = /^(What|Whether|How|Where|Who|Whom|Whose|When|Which|Why)$/;

/** Most that a figure may be; those of `atClose` are bars of one day, which growth may pass. */
export const BARS = {
  files: 330,
  lines: 29_000,
  smallShare: 0.14,
  largestFolder: 15,
  walkFiles: 49, // 45 at first; a table of image encoders and lists that are read line by line came after
  walkReturns: 20,
  callsToStep: 4,
  manyParameters: 60,
  exportsUsedOnce: 350,
  relativeClauses: 0,
  medianFunction: 7,
  functionOf90: 19,
  longestFunction: 50,
};
export const AT_CLOSE = ["files", "lines", "exportsUsedOnce"];

/** Figures of the source below `root`, and what each of them counts. */
export function measureHouse(root) {
  const sources = readSources(join(root, "src"));
  const parsed = sources
    .filter(({ file }) => file.endsWith(".ts"))
    .map((source) => ({ ...source, tree: parse(source) }));
  const lengths = parsed.flatMap(functionLengths).sort((a, b) => a.lines - b.lines);
  const folders = countBy(sources, ({ file }) => dirname(file));
  const closed = [...folders].filter(([folder]) => !OPEN_FOLDERS.includes(folder));
  const small = sources.filter(({ lines }) => lines < SMALL);
  const many = parsed.flatMap(functionsOfManyParameters);
  const usedOnce = [...usersOfExports(root, parsed)].filter(([, users]) => users.size === 1);
  const openings = sources.flatMap(relativeClauses);
  const walk = measureWalk(root);
  return {
    figures: {
      files: sources.length,
      lines: sources.reduce((sum, { lines }) => sum + lines, 0),
      smallShare: small.length / sources.length,
      largestFolder: Math.max(...closed.map(([, count]) => count)),
      walkFiles: walk.files.size,
      walkReturns: walk.returns,
      callsToStep: walk.callsToStep,
      manyParameters: many.length,
      exportsUsedOnce: usedOnce.length,
      relativeClauses: openings.length,
      medianFunction: lengths[Math.floor(0.5 * (lengths.length - 1))]?.lines ?? NaN,
      functionOf90: lengths[Math.floor(0.9 * (lengths.length - 1))]?.lines ?? NaN,
      longestFunction: lengths.at(-1)?.lines ?? NaN,
    },
    lists: {
      smallShare: small.map(({ file, lines }) => `${lines} ${file}`),
      manyParameters: many,
      exportsUsedOnce: usedOnce.map(([name, [user]]) => `${name} <- ${user}`),
      relativeClauses: openings,
      longestFunction: lengths.slice(-10).map(({ lines, where }) => `${lines} ${where}`),
      walkFiles: [...walk.files],
    },
    walkProblems: walk.problems,
  };
}

function readSources(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .sort()
    .map((path) => {
      const text = readFileSync(path, "utf8");
      return { path, file: relative(folder, path), text, lines: text.split("\n").length - 1 };
    });
}

function parse({ path, text }) {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

function visitAll(node, visit) {
  visit(node);
  ts.forEachChild(node, (child) => visitAll(child, visit));
}

/** Lines of each named function. */
function functionLengths({ file, tree }) {
  const found = [];
  visitAll(tree, (node) => {
    const isNamed =
      ts.isFunctionDeclaration(node) ||
      ts.isMethodDeclaration(node) ||
      ts.isConstructorDeclaration(node) ||
      ts.isGetAccessor(node) ||
      (ts.isArrowFunction(node) && ts.isVariableDeclaration(node.parent));
    if (!isNamed || node.body === undefined) return;
    const line = (position) => tree.getLineAndCharacterOfPosition(position).line;
    found.push({ lines: line(node.end) - line(node.getStart()) + 1, where: `${file}:${line(node.getStart()) + 1}` });
  });
  return found;
}

function functionsOfManyParameters({ file, tree }) {
  const found = [];
  visitAll(tree, (node) => {
    if (!ts.isFunctionLike(node) || node.body === undefined || node.parameters.length < MANY) return;
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart());
    found.push(`${file}:${line + 1} ${node.name?.getText() ?? ""} (${node.parameters.length})`);
  });
  return found;
}

/** Files of src/ that import each exported name. */
function usersOfExports(root, parsed) {
  const users = new Map();
  for (const { path, tree } of parsed) {
    for (const statement of tree.statements) {
      if (!statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) continue;
      const names = statement.name
        ? [statement.name]
        : (statement.declarationList?.declarations ?? []).map((d) => d.name);
      for (const name of names) users.set(`${path}#${name.text}`, new Set());
    }
  }
  for (const { path, file, tree } of parsed) {
    for (const statement of tree.statements) {
      const isImport = ts.isImportDeclaration(statement);
      if (!(isImport || ts.isExportDeclaration(statement))) continue;
      if (!statement.moduleSpecifier?.text.startsWith(".")) continue;
      const target = resolve(dirname(path), statement.moduleSpecifier.text.replace(/\.js$/, ".ts"));
      const bindings = isImport ? statement.importClause?.namedBindings : statement.exportClause;
      for (const { name, propertyName } of bindings?.elements ?? []) {
        users.get(`${target}#${(propertyName ?? name).text}`)?.add(file);
      }
    }
  }
  return new Map([...users].map(([name, files]) => [relative(join(root, "src"), name), files]));
}

/** Doc comments whose first word opens a relative clause. */
function relativeClauses({ file, text }) {
  return [...text.matchAll(/\/\*\*\s*(?:\*\s*)?(\S+)/g)]
    .filter(([, word = ""]) => RELATIVE_CLAUSE.test(word.replace(/\W+$/, "")))
    .map(({ index }) => `${file}:${text.slice(0, index).split("\n").length}`);
}

/**
 * Figures of docs/walk.tsv: a row a call, `depth`, function and file, in the order of control; a function stands again
 * where control comes back to it and it does the walk's next thing itself. A fourth column names the caller's file where
 * it is not that of the last row of a lower depth: of a function that goes on after one that it was handed.
 */
function measureWalk(root) {
  const path = join(root, "docs", "walk.tsv");
  if (!existsSync(path)) return { files: new Set(), returns: NaN, callsToStep: NaN, problems: ["no docs/walk.tsv"] };
  const rows = readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"))
    .map(([depth, name, file, by]) => ({ depth: Number(depth), name, file, by }));
  const texts = new Map(
    [...new Set(rows.map(({ file }) => file))].map((file) => [file, readText(join(root, "src", file))]),
  );
  const problems = rows.flatMap(({ depth, name, file, by }, i) => {
    const text = texts.get(file);
    if (text === null) return [`${file}: is missing`];
    const word = name.split(".").at(-1).replace("#", "");
    if (!new RegExp(`\\b${word}\\b`).test(text)) return [`${file}: has no ${name}`];
    const caller = by ? { file: by } : rows.slice(0, i).findLast((row) => row.depth < depth);
    if (caller === undefined || caller.file === file || isLinked(caller.file, texts.get(caller.file), { file, word }))
      return [];
    return [`${caller.file}: neither imports ${file} nor holds ${name}`];
  });
  const files = new Set();
  let returns = 0;
  rows.forEach(({ file }, i) => {
    if (i > 0 && rows[i - 1].file !== file && files.has(file)) returns++;
    files.add(file);
  });
  const step = rows.find(({ name }) => name === "trainStep");
  return { files, returns, callsToStep: step === undefined ? NaN : step.depth - 2, problems };
}

function readText(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

/** True where a file imports another one, or calls a method of that name on what it was handed. */
function isLinked(from, text, { file, word }) {
  const specifier = relative(dirname(from), file).replace(/\.ts$/, ".js");
  return text.includes(`/${specifier.replace(/^(\.\.\/)*/, "")}"`) || new RegExp(`\\.${word}\\(`).test(text);
}

function countBy(values, key) {
  const counts = new Map();
  for (const value of values) counts.set(key(value), (counts.get(key(value)) ?? 0) + 1);
  return counts;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [root = fileURLToPath(new URL("..", import.meta.url)), , listed] = process.argv.slice(2);
  const { figures, lists, walkProblems } = measureHouse(root);
  if (listed !== undefined) console.log(lists[listed].join("\n"));
  else {
    for (const [name, value] of Object.entries(figures)) {
      const shown = Number.isInteger(value) ? String(value) : value.toFixed(3);
      console.log(`${name.padEnd(18)}${shown.padStart(8)}  bar ${BARS[name]}`);
    }
    for (const problem of walkProblems) console.log(`walk: ${problem}`);
  }
}
