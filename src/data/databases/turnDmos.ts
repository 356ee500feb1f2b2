/**
 * Difference scores (DMOS, lower is better) turned into scores of which higher is better: `best - dmos`. Lists hold
 * those alone, so a distribution's reader calls this once and nothing after it turns a score.
 *
 * @param best  what a picture with DMOS 0 becomes
 */
export function turnDmos(dmos: number, best: number): number {
  return best - dmos;
}
