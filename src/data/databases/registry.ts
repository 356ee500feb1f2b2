import { agiqa3k } from "./agiqa3k.js";
import { bid } from "./bid.js";
import { clive } from "./clive.js";
import { csiq } from "./csiq.js";
import { kadid10k } from "./kadid10k.js";
import type { KnownDatabase } from "./knownDatabase.js";
import { koniq10k } from "./koniq10k.js";
import { live } from "./live.js";
import { pipal } from "./pipal.js";
import { spaq } from "./spaq.js";
import { tid2013 } from "./tid2013.js";

/** Every known database, the six of LIQE (CVPR 2023, table 2) first. */
export const KNOWN_DATABASES: readonly KnownDatabase[] = [
  live,
  csiq,
  bid,
  clive,
  koniq10k,
  kadid10k,
  tid2013,
  spaq,
  agiqa3k,
  pipal,
];

/** Name of a run and its own database after a file or folder: letters, digits, dots and dashes, no known database's. */
export function ownName(base: string): string {
  const name = base.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+|-+$/g, "");
  if (name === "") return "mine";
  return knownDatabase(name) === undefined ? name : `my-${name}`;
}

export function knownDatabase(name: string): KnownDatabase | undefined {
  return KNOWN_DATABASES.find((database) => database.name === name);
}
