// The places of a source file at which it can be made wrong in one small way, by the mutators of Stryker's list
// (stryker-mutator.io, "Supported mutators"; all but regular expressions and optional calls).
import ts from "typescript";

const SWAPPED = {
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "/": ["*"],
  "%": ["*"],
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "===": ["!=="],
  "!==": ["==="],
  "&&": ["||"],
  "||": ["&&"],
  "??": ["&&"],
  "+=": ["-="],
  "-=": ["+="],
  "*=": ["/="],
  "/=": ["*="],
  "%=": ["*="],
  "&&=": ["||="],
  "||=": ["&&="],
  "??=": ["&&="],
};

const MUTATOR_OF = {
  "+": "arithmetic",
  "-": "arithmetic",
  "*": "arithmetic",
  "/": "arithmetic",
  "%": "arithmetic",
  "&&": "logical",
  "||": "logical",
  "??": "logical",
};

const OTHER_METHOD = {
  endsWith: "startsWith",
  startsWith: "endsWith",
  toUpperCase: "toLowerCase",
  toLowerCase: "toUpperCase",
  trimEnd: "trimStart",
  trimStart: "trimEnd",
  some: "every",
  every: "some",
  min: "max",
  max: "min",
};

/** Methods without which their object is the result. */
const LEFT_OUT = new Set([
  "sort",
  "toSorted",
  "reverse",
  "toReversed",
  "filter",
  "slice",
  "trim",
  "substring",
  "charAt",
]);

/**
 * Sites of a file: `{ start, end, mutator, wrong, isBody, line }`. `wrong` stands for the expression between `start` and
 * `end`; an `isBody` site is a block whose statements are left out, and has none.
 *
 * @param {string} name  of the file
 * @param {string} text
 */
export function sitesOf(name, text) {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const sites = [];
  const add = (node, mutator, wrong, isBody = false) => {
    const start = node.getStart(source);
    const line = source.getLineAndCharacterOfPosition(start).line + 1;
    sites.push({ start, end: node.getEnd(), mutator, wrong, isBody, line });
  };
  const visit = (node) => {
    if (ts.isTypeNode(node) || isNoExpression(node)) return;
    wrongOnes(node, source).forEach(([mutator, wrong]) => add(node, mutator, wrong));
    if (isBody(node)) add(node, "block", null, true);
    for (const condition of conditionsOf(node)) {
      const values = isLoop(node) ? ["false"] : ["true", "false"]; // a loop without an end tells nothing
      values.forEach((value) => add(condition, "condition", value));
    }
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(source, visit);
  return sites;
}

/** Imports, and what names types or properties. */
function isNoExpression(node) {
  return (
    ts.isImportDeclaration(node) ||
    ts.isExportDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isHeritageClause(node) ||
    ts.isRegularExpressionLiteral(node) ||
    ts.isTaggedTemplateExpression(node) ||
    (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
  );
}

const isLoop = (node) => ts.isWhileStatement(node) || ts.isForStatement(node) || ts.isDoStatement(node);

/** Conditions of a statement or of `a ? b : c`. */
function conditionsOf(node) {
  if (ts.isIfStatement(node) || ts.isWhileStatement(node) || ts.isDoStatement(node)) return [node.expression];
  if (ts.isForStatement(node) || ts.isConditionalExpression(node)) return node.condition ? [node.condition] : [];
  return [];
}

/** Blocks that do something, and are the body of a function or of a statement. */
function isBody(node) {
  return ts.isBlock(node) && node.statements.length > 0 && !ts.isConstructorDeclaration(node.parent);
}

/** `[mutator, wrong text]` of an expression, by its kind. */
function wrongOnes(node, source) {
  if (isTarget(node)) return [];
  const text = (part) => part.getText(source);
  if (ts.isBinaryExpression(node)) {
    const operator = text(node.operatorToken);
    if (operator === "+" && [node.left, node.right].some(isText)) return [];
    const mutator =
      MUTATOR_OF[operator] ?? (operator.endsWith("=") && !/^[<>=!]/.test(operator) ? "assignment" : "equality");
    const [left, right] =
      mutator === "logical" ? [`(${text(node.left)})`, `(${text(node.right)})`] : [text(node.left), text(node.right)];
    return (SWAPPED[operator] ?? []).map((other) => [mutator, `${left} ${other} ${right}`]);
  }
  if (ts.isPrefixUnaryExpression(node)) {
    const operand = text(node.operand);
    switch (node.operator) {
      case ts.SyntaxKind.ExclamationToken:
        return [["boolean", operand]];
      case ts.SyntaxKind.MinusToken:
        return [["unary", `+${operand}`]];
      case ts.SyntaxKind.PlusToken:
        return [["unary", `-${operand}`]];
      case ts.SyntaxKind.PlusPlusToken:
        return [["update", `--${operand}`]];
      case ts.SyntaxKind.MinusMinusToken:
        return [["update", `++${operand}`]];
      default:
        return [];
    }
  }
  if (ts.isPostfixUnaryExpression(node)) {
    const other = node.operator === ts.SyntaxKind.PlusPlusToken ? "--" : "++";
    return [["update", `${text(node.operand)}${other}`]];
  }
  if (node.kind === ts.SyntaxKind.TrueKeyword) return [["boolean", "false"]];
  if (node.kind === ts.SyntaxKind.FalseKeyword) return [["boolean", "true"]];
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) {
    return [["string", node.text === "" ? '"wrong"' : '""']];
  }
  if (ts.isTemplateExpression(node)) return [["string", '""']];
  if (ts.isArrayLiteralExpression(node)) return [["array", node.elements.length === 0 ? '["wrong"]' : "[]"]];
  if (ts.isObjectLiteralExpression(node) && node.properties.length > 0) return [["object", "{}"]];
  if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) {
    const head = text(node).slice(0, node.body.getStart(source) - node.getStart(source));
    return [["arrow", `${head}undefined`]];
  }
  if (ts.isCallExpression(node)) return wrongCalls(node, source);
  return [];
}

/** A method's opposite, or its object alone. */
function wrongCalls(node, source) {
  if (!ts.isPropertyAccessExpression(node.expression)) return [];
  const { expression: object, name, questionDotToken } = node.expression;
  const method = name.text;
  if (LEFT_OUT.has(method)) return [["method", object.getText(source)]];
  const other = Object.hasOwn(OTHER_METHOD, method) ? OTHER_METHOD[method] : undefined;
  if (other === undefined) return [];
  const dot = questionDotToken === undefined ? "." : "?.";
  const rest = source.text.slice(node.expression.getEnd(), node.getEnd());
  return [["method", `${object.getText(source)}${dot}${other}${rest}`]];
}

const isText = (node) => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);

/** Names, targets of assignments, statements of their own, links of a chain, and what else cannot stand in parentheses. */
function isTarget(node) {
  const { parent } = node;
  if (ts.isBinaryExpression(parent) && parent.left === node && ts.isArrayLiteralExpression(node)) {
    return parent.operatorToken.kind === ts.SyntaxKind.EqualsToken;
  }
  return (
    (ts.isPropertyAssignment(parent) && parent.name === node) ||
    (ts.isPropertySignature(parent) && parent.name === node) ||
    (ts.isExpressionStatement(parent) && ts.isStringLiteral(node)) ||
    (ts.isObjectLiteralExpression(node) && ts.isArrowFunction(parent)) ||
    ((ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent) || ts.isCallExpression(parent)) &&
      parent.expression === node &&
      (parent.flags & ts.NodeFlags.OptionalChain) !== 0)
  );
}
