/**
 * The prompts of a grid as one tree of shared beginnings.
 *
 * The text tower is causal: a token's state depends on what stands before it and on nothing else. Prompts that begin
 * alike therefore share the states of their beginnings, and each distinct beginning is encoded once: 2,203 of them
 * in the published grid, against 495 x 77 padded positions. (Shared prefixes at inference: arXiv 2402.05099.)
 *
 * The tree is laid out for dense arithmetic. The `stem` is what all prompts share. Below it hang branches, which see
 * the stem and their own ancestors but never each other; they are packed into `groups` of equal size, so that the
 * attention of all groups is one batched product under a mask. Rows that fill a group up belong to nobody: they
 * attend to themselves, and nothing reads them.
 */
export interface PromptTree {
  /** Rows of the stem; at least 1, the start token. */
  readonly stem: number;
  /** How many groups there are; 0 where all prompts are one. */
  readonly groups: number;
  /** Rows of each group, padding included. */
  readonly groupSize: number;
  /** [rows]: each row's token, as an index into `usedTokens`; rows = stem + groups·groupSize. */
  readonly tokens: Int32Array;
  /** [rows]: each row's place in its prompt, from 0. */
  readonly positions: Int32Array;
  /** [groups, groupSize, groupSize]: 1 where a row (first) may see another of its group (second), else 0. */
  readonly sees: Uint8Array;
  /** [prompts]: the row of each prompt's end token, where its feature is read. */
  readonly ends: Int32Array;
  /** Distinct token ids, ascending; the rows of `token_embedding.used_rows`. */
  readonly usedTokens: readonly number[];
  /** Distinct beginnings: the rows that are not padding. */
  readonly nodes: number;
}

interface Node {
  readonly token: number;
  readonly depth: number;
  readonly children: Map<number, Node>;
  row: number;
}

/** @param prompts  token ids of each prompt, start and end token included, unpadded; at least one prompt */
export function promptTree(prompts: readonly (readonly number[])[]): PromptTree {
  const [root, ends] = plantTree(prompts);
  const stem = stemOf(root);
  const branches = [...(stem.at(-1)?.children.values() ?? [])].map(nodesBelow);
  const groups = pack(branches);
  const groupSize = Math.max(0, ...groups.map((group) => group.length));
  const usedTokens = [...new Set(prompts.flat())].sort((a, b) => a - b);
  const tokenIndex = new Map(usedTokens.map((token, i) => [token, i]));

  const rows = stem.length + groups.length * groupSize;
  const tokens = new Int32Array(rows);
  const positions = new Int32Array(rows);
  const place = (node: Node, row: number) => {
    node.row = row;
    tokens[row] = tokenIndex.get(node.token) ?? 0;
    positions[row] = node.depth;
  };
  stem.forEach(place);
  groups.forEach((group, g) => {
    group.forEach((node, i) => {
      place(node, stem.length + g * groupSize + i);
    });
  });
  const nodes = stem.length + groups.reduce((sum, group) => sum + group.length, 0);
  const sees = ancestorMask(groups, groupSize, stem.length);
  return {
    stem: stem.length,
    groups: groups.length,
    groupSize,
    tokens,
    positions,
    sees,
    ends: Int32Array.from(ends, (end) => end.row),
    usedTokens,
    nodes,
  };
}

/** The trie of all prompts, and the node at which each prompt ends. */
function plantTree(prompts: readonly (readonly number[])[]): [Node, Node[]] {
  const above: Node = { token: -1, depth: -1, children: new Map(), row: -1 };
  const ends = prompts.map((prompt) =>
    prompt.reduce((node, token) => {
      const next = node.children.get(token) ?? { token, depth: node.depth + 1, children: new Map(), row: -1 };
      node.children.set(token, next);
      return next;
    }, above),
  );
  const [root] = above.children.values();
  if (root === undefined || above.children.size > 1) {
    throw new Error("internal: promptTree: prompts must share their start token");
  }
  return [root, ends];
}

/** From the root down to the first node that branches, or ends the only prompt. */
function stemOf(root: Node): Node[] {
  const stem = [root];
  for (let node = root; node.children.size === 1;) {
    const [only] = node.children.values();
    if (only === undefined) break;
    stem.push(only);
    node = only;
  }
  return stem;
}

/** A branch, parents before children. */
function nodesBelow(node: Node): Node[] {
  return [node, ...[...node.children.values()].flatMap(nodesBelow)];
}

/** First-fit decreasing: as few groups as fit into the size of the largest branch. */
function pack(branches: readonly Node[][]): Node[][] {
  const sorted = [...branches].sort((a, b) => b.length - a.length); // stable, so the packing is deterministic
  const capacity = sorted[0]?.length ?? 0;
  const groups: Node[][] = [];
  for (const branch of sorted) {
    const roomy = groups.find((group) => group.length + branch.length <= capacity);
    if (roomy) roomy.push(...branch);
    else groups.push([...branch]);
  }
  return groups;
}

/** Who sees whom inside the groups: oneself and one's ancestors; padding rows see themselves. */
function ancestorMask(groups: readonly Node[][], groupSize: number, stem: number): Uint8Array {
  const sees = new Uint8Array(groups.length * groupSize * groupSize);
  groups.forEach((group, g) => {
    const first = g * groupSize;
    const at = (row: number, other: number) => (first + row) * groupSize + other;
    const copyToChildren = (node: Node, row: number) => {
      for (const child of node.children.values()) {
        const childRow = child.row - stem - first;
        sees.copyWithin(at(childRow, 0), at(row, 0), at(row, groupSize)); // what a parent sees, its child sees
        sees[at(childRow, childRow)] = 1;
      }
    };
    for (let row = 0; row < groupSize; row++) sees[at(row, row)] = 1;
    group.forEach(copyToChildren); // parents stand before their children
  });
  return sees;
}
