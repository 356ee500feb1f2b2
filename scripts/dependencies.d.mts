export interface ProductionPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly neededBy: readonly string[];
}
/** Packages of a lockfile without those that development alone needs. */
export function productionPackages(lockfile: unknown): ProductionPackage[];
/** Text of docs/dependencies.md. */
export function dependenciesPage(packages: readonly ProductionPackage[]): string;
