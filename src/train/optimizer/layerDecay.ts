import type { ParameterPart } from "../../model/parameters/shapes.js";
import { blockCounts, partOf } from "../../model/parameters/shapes.js";

/**
 * What each parameter's learning rate is multiplied by: layerDecay to the power of its distance from the top of its
 * tower. The head (last layer norm and projection) has 1, the last block layerDecay, the one below its square, and stem
 * and embeddings, below n blocks, layerDecay^(n + 1): as BEiT (arXiv 2106.08254) and its code do it, after ELECTRA
 * (arXiv 2003.10555). Each tower counts its own blocks.
 *
 * @param names       of all parameters of a model: blocks are counted among them
 * @param layerDecay  in (0, 1]; 1 gives every parameter the same rate
 * @returns           by name; the logit scale, which is not trained, has none
 */
export function rateFactors(names: Iterable<string>, layerDecay: number): Map<string, number> {
  const all = [...names];
  const blocks = blockCounts(all);
  return new Map(
    all.flatMap((name): [string, number][] => {
      const part = partOf(name);
      return part === null ? [] : [[name, layerDecay ** distanceFromTop(part, blocks[part.tower])]];
    }),
  );
}

function distanceFromTop({ part, block }: ParameterPart, blocks: number): number {
  if (part === "head") return 0;
  return block === null ? blocks + 1 : blocks - block;
}
