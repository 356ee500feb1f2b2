import { pushAll } from "../../base/collections.js";
import { ConfigError } from "../../base/errors.js";
import type { TextArchitecture } from "../architecture/architecture.js";
import type { ContextShape } from "../parameters/learnedPrompts.js";
import type { PromptGrid } from "../prompts/promptGrid.js";
import { type TextTokenizer, tokenize } from "./tokenizer.js";

/**
 * Prefix tree of a grid's prompts. The text encoder is causal: a token's state depends on the tokens before it alone,
 * so each distinct prefix is encoded once: 2,203 of them in the published grid, against 495 x 77 padded positions.
 * (Shared prefixes at inference: arXiv 2402.05099.)
 *
 * The tree is laid out for dense arithmetic. The `trunk` holds the prefixes that many prompts share. Branches below it
 * see their ancestors in the trunk and their own, never each other; they are packed into `groups` of equal size, so
 * that the attention of all groups is one batched product under a mask. Nothing reads the padding rows.
 */
export interface PromptTree {
  /**
   * Rows of the trunk; at least 1, the start token. 0 where prompts share nothing, see `wholePrompts`: then each group is
   * a prompt, all of whose rows see each other, and there are no masks.
   */
  readonly trunk: number;
  /** Number of groups; 0 where all is trunk. */
  readonly groups: number;
  /** Rows of each group, padding included. */
  readonly groupSize: number;
  /** [rows]: each row's token, as an index into `usedTokens`; rows = trunk + groups·groupSize. */
  readonly tokens: Int32Array;
  /** [rows]: each row's position in its prompt, from 0. */
  readonly positions: Int32Array;
  /** [trunk, trunk]: 1 where a row of the trunk (first) may see another (second), else 0. */
  readonly trunkSees: Uint8Array;
  /** [groups, groupSize, trunk + groupSize]: 1 where a row (first) may see one of the trunk, or of its group, else 0. */
  readonly groupSees: Uint8Array;
  /** [prompts]: row of each prompt's end token, where its feature is read. */
  readonly ends: Int32Array;
  /** Distinct token ids, ascending; the rows of `token_embedding.used_rows`. */
  readonly usedTokens: readonly number[];
  /** Number of learned context vectors, whose indices follow those of `usedTokens`; 0 where all prompts are words. */
  readonly contextRows: number;
  /** Distinct prefixes: the rows that are not padding. */
  readonly nodes: number;
}

/** Tokenizer of the weights, where they have their own (CLIP's by default), and context vectors of the prompts. */
interface TreeOptions {
  readonly tokenizer?: TextTokenizer | null | undefined;
  readonly context?: ContextShape | null;
}

/** Tree of a grid's prompts. @throws {ConfigError} where a prompt is too long; see `tokenize` */
export function gridTree(
  grid: PromptGrid,
  { contextLength, kind }: Pick<TextArchitecture, "contextLength" | "kind">,
  { tokenizer = null, context = null }: TreeOptions = {},
): PromptTree {
  if (kind === undefined) {
    const prompts = grid.prompts.map((prompt) => tokenize(prompt, contextLength));
    return promptTree(context === null ? prompts : withContext(prompts, context, { grid, contextLength }));
  }
  if (tokenizer === null) throw new Error("internal: gridTree: a SigLIP without its tokenizer");
  if (context !== null) {
    throw new ConfigError("train.tune: prompts: context vectors of a SigLIP are not learned; tune it another way");
  }
  return wholePrompts(grid.prompts.map((prompt) => tokenizer.tokenize(prompt, contextLength)));
}

/** First id of context vectors, above those of any vocabulary. */
const CONTEXT_IDS = 2 ** 24;

/** Tokens of the words that a template begins with, before its first placeholder: context vectors stand in their place. */
export function leadingTokens({ template }: Pick<PromptGrid, "template">, contextLength: number): number[] {
  const words = template.slice(0, template.indexOf("{")).replace(/\S+$/u, ""); // a label's own word is none of them
  return tokenize(words, contextLength).slice(1, -1);
}

/** Prompts with context vectors, right after the start token, in place of as many of the words they all begin with. */
function withContext(
  prompts: readonly (readonly number[])[],
  { vectors, isShared }: ContextShape,
  { grid, contextLength }: { readonly grid: PromptGrid; readonly contextLength: number },
): number[][] {
  const replaced = Math.min(vectors, leadingTokens(grid, contextLength).length);
  return prompts.map(([start = NaN, ...tokens], prompt) => {
    const first = CONTEXT_IDS + (isShared ? 0 : prompt * vectors);
    const all = [start, ...Array.from({ length: vectors }, (_, i) => first + i), ...tokens.slice(replaced)];
    if (all.length <= contextLength) return all;
    throw new ConfigError(
      `gridTree: "${grid.prompts[prompt] ?? ""}" has ${all.length} tokens with ${vectors} context vectors, the text ` +
        `tower takes ${contextLength}; lower train.prompts.vectors, or shorten the template`,
    );
  });
}

/**
 * Prompts of a text encoder that is not causal: every token's state depends on the whole prompt, padding included, so
 * that nothing is shared. Each prompt is a group, and its feature is read at its last token.
 * @param prompts  token ids of each prompt, all of one length; at least one prompt
 */
function wholePrompts(prompts: readonly (readonly number[])[]): PromptTree {
  const length = prompts[0]?.length ?? 0;
  if (length === 0 || prompts.some((prompt) => prompt.length !== length)) {
    throw new Error("internal: wholePrompts: prompts must be padded to one length");
  }
  const all = prompts.flat();
  const usedTokens = [...new Set(all)].sort((a, b) => a - b);
  const indexOf = new Map(usedTokens.map((token, i) => [token, i]));
  return {
    trunk: 0,
    groups: prompts.length,
    groupSize: length,
    tokens: Int32Array.from(all, (token) => indexOf.get(token) ?? NaN),
    positions: Int32Array.from(all, (_, i) => i % length),
    trunkSees: new Uint8Array(),
    groupSees: new Uint8Array(),
    ends: Int32Array.from(prompts, (_, i) => (i + 1) * length - 1),
    usedTokens,
    contextRows: 0,
    nodes: all.length,
  };
}

/**
 * @param prompts     token ids of each prompt, start and end token included, unpadded; at least one prompt
 * @param branchSize  most nodes of a branch; by default the one that makes the encoder cheapest
 */
export function promptTree(prompts: readonly (readonly number[])[], branchSize?: number): PromptTree {
  const [root, ends] = plantTree(prompts);
  const { trunk, groups, groupSize } = branchSize === undefined ? cheapestCut(root) : cutAt(root, branchSize);
  const distinct = [...new Set(prompts.flat())].sort((a, b) => a - b); // words, then context vectors
  const usedTokens = distinct.filter((token) => token < CONTEXT_IDS);
  const tokenIndex = new Map(distinct.map((token, i) => [token, i]));
  const rows = trunk.length + groups.length * groupSize;
  const tokens = new Int32Array(rows);
  const positions = new Int32Array(rows);
  const rowOf = new Map<PromptNode, number>();
  const place = (node: PromptNode, row: number) => {
    rowOf.set(node, row);
    tokens[row] = tokenIndex.get(node.token) ?? 0;
    positions[row] = node.depth;
  };
  trunk.forEach(place);
  groups.forEach((group, g) => {
    group.forEach((node, i) => {
      place(node, trunk.length + g * groupSize + i);
    });
  });
  return {
    trunk: trunk.length,
    groups: groups.length,
    groupSize,
    tokens,
    positions,
    ...ancestorMasks(root, rowOf, { rows, trunk: trunk.length, groupSize }),
    ends: Int32Array.from(ends, (end) => rowOf.get(end) ?? NaN),
    usedTokens,
    contextRows: distinct.length - usedTokens.length,
    nodes: rowOf.size,
  };
}

/** Root of the trie of all prompts, and the node at which each prompt ends. */
function plantTree(prompts: readonly (readonly number[])[]): [PromptNode, PromptNode[]] {
  const above: PromptNode = { token: -1, depth: -1, children: new Map(), size: 0 };
  const ends = prompts.map((prompt) =>
    prompt.reduce((node, token) => {
      const next = node.children.get(token) ?? { token, depth: node.depth + 1, children: new Map(), size: 0 };
      node.children.set(token, next);
      return next;
    }, above),
  );
  const [root] = above.children.values();
  if (root === undefined || above.children.size > 1) {
    throw new Error("internal: promptTree: prompts must share their start token");
  }
  for (const node of nodesBelow(root).reverse()) {
    node.size = [...node.children.values()].reduce((sum, child) => sum + child.size, 1);
  }
  return [root, ends];
}

/** Masks by which a row sees itself and its ancestors; padding rows see themselves alone. */
function ancestorMasks(
  root: PromptNode,
  rowOf: ReadonlyMap<PromptNode, number>,
  { rows, trunk, groupSize }: Record<"rows" | "trunk" | "groupSize", number>,
): Pick<PromptTree, "trunkSees" | "groupSees"> {
  const width = trunk + groupSize;
  const trunkSees = new Uint8Array(trunk * trunk);
  const groupSees = new Uint8Array((rows - trunk) * width);
  /** Part of the mask that says what a row sees. */
  const seenBy = (row: number): Uint8Array =>
    row < trunk
      ? trunkSees.subarray(row * trunk, (row + 1) * trunk)
      : groupSees.subarray((row - trunk) * width, (row - trunk + 1) * width);
  for (let row = 0; row < rows; row++) seenBy(row)[row < trunk ? row : trunk + ((row - trunk) % groupSize)] = 1;
  for (const node of nodesBelow(root)) {
    const seen = seenBy(rowOf.get(node) ?? NaN);
    for (const child of node.children.values()) {
      const childSeen = seenBy(rowOf.get(child) ?? NaN); // parents come first: their ancestors are marked
      seen.forEach((sees, at) => (childSeen[at] ||= sees));
    }
  }
  return { trunkSees, groupSees };
}

/** Distinct prefix of prompts. */
interface PromptNode {
  readonly token: number;
  /** Position of the token in its prompts, from 0. */
  readonly depth: number;
  /** By token. */
  readonly children: Map<number, PromptNode>;
  /** Nodes of the branch: itself and those below. */
  size: number;
}

/** Tree cut into the trunk that many prompts share and the branches below, in groups. */
interface Cut {
  /** Parents before children, the root first. */
  readonly trunk: readonly PromptNode[];
  /** Whole branches, parents before children. */
  readonly groups: readonly (readonly PromptNode[])[];
  /** Nodes of the largest group. */
  readonly groupSize: number;
}

/**
 * Cost of a row in the linear maps of a layer, in units of one pair of rows in its attention. By arithmetic alone it
 * would be 24·width² against 4·width, six times the width; but the small products of attention and its softmax take
 * about six times as long (ViT-B/32's text encoder and a narrow one were measured, cut in seven ways).
 */
const ROW_IN_PAIRS = 512;
/** Cost of the groups' own operations, in the same units. */
const GROUPS_IN_PAIRS = 1500;

/**
 * The cheapest cut. A deep one leaves small groups, in which few pairs of rows are computed in vain; a shallow one a
 * small trunk, which every row is compared with. The published grid is cut below its nine scenes.
 */
function cheapestCut(root: PromptNode): Cut {
  const branchSizes = new Set([0, ...nodesBelow(root).map(({ size }) => size)]); // 0: no branches
  const cuts = [...branchSizes].map((size) => cutAt(root, size));
  return cuts.reduce((best, cut) => (costOf(cut) < costOf(best) ? cut : best));
}

/** Cut whose branches are the largest of at most `branchSize` nodes each. */
function cutAt(root: PromptNode, branchSize: number): Cut {
  const trunk: PromptNode[] = [];
  const branches: PromptNode[][] = [];
  const visit = (node: PromptNode) => {
    if (node !== root && node.size <= branchSize) {
      branches.push(nodesBelow(node));
      return;
    }
    trunk.push(node);
    for (const child of node.children.values()) visit(child);
  };
  visit(root);
  const groups = pack(branches);
  return { trunk, groups, groupSize: groups.reduce((most, group) => Math.max(most, group.length), 0) };
}

/** Nodes of a branch, parents before children. */
function nodesBelow(node: PromptNode): PromptNode[] {
  const nodes: PromptNode[] = [];
  const visit = (one: PromptNode) => {
    nodes.push(one);
    for (const child of one.children.values()) visit(child);
  };
  visit(node);
  return nodes;
}

/** Cost of a layer, in pairs of rows. */
function costOf({ trunk, groups, groupSize }: Cut): number {
  const rows = groups.length * groupSize;
  const pairs = trunk.length ** 2 + rows * (trunk.length + groupSize);
  return pairs + ROW_IN_PAIRS * (trunk.length + rows) + (rows > 0 ? GROUPS_IN_PAIRS : 0);
}

/** Packs branches into groups of the size of the largest: best fit, the largest first. */
function pack(branches: readonly PromptNode[][]): PromptNode[][] {
  const sorted = [...branches].sort((a, b) => b.length - a.length); // stable, so the packing is deterministic
  const capacity = sorted[0]?.length ?? 0;
  const withRoom = Array.from({ length: capacity + 1 }, (): PromptNode[][] => []); // groups, by their free rows
  for (const branch of sorted) {
    const room = withRoom.findIndex((groups, rows) => rows >= branch.length && groups.length > 0);
    const group = withRoom[room]?.shift() ?? [];
    pushAll(group, branch);
    withRoom[capacity - group.length]?.push(group);
  }
  return withRoom.flat();
}
