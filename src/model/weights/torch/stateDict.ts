import { refuse } from "../refuse.js";
import { isTorchScriptClass } from "./pickleGlobals.js";
import { PickleDict, PickleObject, type PickleValue, TorchTensor } from "./pickleValues.js";

/** Keys under which training programs put the weights beside other things, the likeliest first. */
const WRAPPER_KEYS = ["model_state_dict", "state_dict", "params_ema", "params", "model", "net", "module"];
/** Wrappers inside wrappers, and modules inside modules, no deeper than this. */
const MAX_DEPTH = 32;
/** A bound on the walk over a TorchScript module: its objects may stand in each other many times. */
const MAX_VISITS = 100_000;

/**
 * Finds the named tensors in an unpickled file: a state dict, one under a wrapper's key, or a TorchScript module,
 * whose parameters are named by their path.
 *
 * @throws {CheckpointError} when there are none; it says what the file holds instead
 */
export function stateDict(
  where: string,
  value: PickleValue,
): { tensors: ReadonlyMap<string, TorchTensor>; wrappers: readonly string[] } {
  const wrappers: string[] = [];
  let inner = value;
  while (inner instanceof PickleDict && wrappers.length < MAX_DEPTH) {
    const { items } = inner;
    const key = WRAPPER_KEYS.find((wrapper) => isContainer(items.get(wrapper)));
    if (key === undefined) break;
    wrappers.push(key);
    inner = items.get(key) ?? null;
  }
  const tensors = new Map<string, TorchTensor>();
  if (inner instanceof PickleObject) collect(where, inner, "", tensors);
  else if (inner instanceof PickleDict) {
    for (const [name, item] of inner.items) {
      if (typeof name === "string" && item instanceof TorchTensor) tensors.set(name, item);
    }
  }
  if (tensors.size === 0) refuse(where, `holds no state dict (${describe(inner)}); save model.state_dict()`);
  return { tensors, wrappers };
}

function isContainer(value: PickleValue | undefined): boolean {
  return value instanceof PickleDict || (value instanceof PickleObject && isTorchScriptClass(value.madeBy));
}

/** Parameters and buffers of a TorchScript module and the modules in it. */
function collect(where: string, module: PickleObject, prefix: string, tensors: Map<string, TorchTensor>): void {
  let visits = 0;
  const open: { module: PickleObject; prefix: string; depth: number }[] = [{ module, prefix, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const [name, value] of next.module.fields?.items ?? []) {
      if (++visits > MAX_VISITS || next.depth > MAX_DEPTH) refuse(where, "its modules stand in each other without end");
      const path = `${next.prefix}${typeof name === "string" ? name : "?"}`;
      if (value instanceof TorchTensor) tensors.set(path, value);
      if (value instanceof PickleObject) open.push({ module: value, prefix: `${path}.`, depth: next.depth + 1 });
    }
  }
}

function describe(value: PickleValue): string {
  if (value instanceof PickleObject) return `an object of ${value.madeBy}`;
  if (!(value instanceof PickleDict)) return `its pickle is no dict`;
  const keys = [...value.items.keys()].slice(0, 5).map((key) => (typeof key === "string" ? key : typeof key));
  return keys.length === 0 ? "an empty dict" : `a dict of ${keys.join(", ")}`;
}
