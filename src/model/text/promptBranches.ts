/** A distinct beginning of prompts. */
export interface PromptNode {
  readonly token: number;
  /** Place of the token in its prompts, from 0. */
  readonly depth: number;
  /** By token. */
  readonly children: Map<number, PromptNode>;
}

/** A tree cut into what many prompts share and the branches below, in groups. */
export interface Cut {
  /** Parents before children; the root is always of it. */
  readonly trunk: readonly PromptNode[];
  /** Whole branches, parents before children. */
  readonly groups: readonly (readonly PromptNode[])[];
  /** Nodes of the largest group. */
  readonly groupSize: number;
}

/**
 * What a row costs in the linear maps of a layer beside one pair of rows in its attention. By arithmetic alone it would
 * be 24·width² against 4·width, six times the width; but the small products of attention and its softmax take about six
 * times as long (ViT-B/32's text tower and a narrow one were measured, cut in seven ways).
 */
const ROW_IN_PAIRS = 512;
/** What it costs that groups have operations of their own, likewise. */
const GROUPS_IN_PAIRS = 1500;

/**
 * The cut that costs least. A deep one leaves small groups, in which few pairs of rows are computed for nothing; a
 * shallow one a small trunk, which every row is compared with. The published grid is cut below its nine scenes.
 */
export function cheapestCut(root: PromptNode): Cut {
  const branchSizes = new Set([0, ...nodesBelow(root).map(sizeOf)]); // 0 for none at all
  const cuts = [...branchSizes].map((size) => cutAt(root, size));
  return cuts.reduce((best, cut) => (costOf(cut) < costOf(best) ? cut : best));
}

/** Below the trunk: the largest branches of at most `branchSize` nodes each. */
export function cutAt(root: PromptNode, branchSize: number): Cut {
  const trunk: PromptNode[] = [];
  const branches: PromptNode[][] = [];
  const visit = (node: PromptNode) => {
    if (node !== root && sizeOf(node) <= branchSize) {
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

/** A branch, parents before children. */
export function nodesBelow(node: PromptNode): PromptNode[] {
  const nodes: PromptNode[] = [];
  const visit = (one: PromptNode) => {
    nodes.push(one);
    for (const child of one.children.values()) visit(child);
  };
  visit(node);
  return nodes;
}

const sizes = new WeakMap<PromptNode, number>();

function sizeOf(node: PromptNode): number {
  const known = sizes.get(node);
  if (known !== undefined) return known;
  const size = [...node.children.values()].reduce((sum, child) => sum + sizeOf(child), 1);
  sizes.set(node, size);
  return size;
}

/** Of a layer, in pairs of rows. */
function costOf({ trunk, groups, groupSize }: Cut): number {
  const rows = groups.length * groupSize;
  const pairs = trunk.length ** 2 + rows * (trunk.length + groupSize);
  return pairs + ROW_IN_PAIRS * (trunk.length + rows) + (rows > 0 ? GROUPS_IN_PAIRS : 0);
}

/** Best fit, the largest first: groups of the size of the largest branch. */
function pack(branches: readonly PromptNode[][]): PromptNode[][] {
  const sorted = [...branches].sort((a, b) => b.length - a.length); // stable, so the packing is deterministic
  const capacity = sorted[0]?.length ?? 0;
  const withRoom = Array.from({ length: capacity + 1 }, (): PromptNode[][] => []); // groups, by the rows that they lack
  for (const branch of sorted) {
    const room = withRoom.findIndex((groups, rows) => rows >= branch.length && groups.length > 0);
    const group = withRoom[room]?.shift() ?? [];
    group.push(...branch);
    withRoom[capacity - group.length]?.push(group);
  }
  return withRoom.flat();
}
