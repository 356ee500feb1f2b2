import { readAgiqa3k } from "./agiqa3k.js";
import { readBid } from "./bid.js";
import { readClive } from "./clive.js";
import { readCsiq } from "./csiq.js";
import { readKadid } from "./kadid10k.js";
import type { ReadSource } from "./knownDatabase.js";
import { readKoniq } from "./koniq10k.js";
import { readLive } from "./live.js";
import { readPipal } from "./pipal.js";
import { readSpaq } from "./spaq.js";
import { readTid2013 } from "./tid2013.js";

/** A reader for each database that something is known of. */
export const DISTRIBUTIONS: Readonly<Record<string, ReadSource>> = {
  live: readLive,
  csiq: readCsiq,
  bid: readBid,
  clive: readClive,
  koniq10k: readKoniq,
  kadid10k: readKadid,
  tid2013: readTid2013,
  spaq: readSpaq,
  agiqa3k: readAgiqa3k,
  pipal: readPipal,
};
