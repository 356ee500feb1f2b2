/**
 * Arithmetic of bench/scale.mjs: seconds of a training step by several ranks, and of scoring many images by several
 * devices. Every figure comes in; none is kept here.
 */

/**
 * Seconds of one step that `ranks` take together, and of what it is spent on.
 *
 * Each rank encodes its share of the crops, and does by itself what a step has but once: the prompts and the update of the
 * weights. Then a ring passes 2 (ranks - 1) / ranks of the summed bytes through each link, in 2 (ranks - 1) turns for each
 * tensor that travels on its own. Ranks that share processors wait for each other.
 *
 * @param step.crops         crops of the whole step
 * @param step.cropSeconds   of one crop, forward and backward, on one device
 * @param step.ownSeconds    of what every rank does by itself
 * @param step.bytes         that the ranks sum: gradients and features
 * @param step.messages      tensors that travel on their own
 * @param cluster.devices    that the ranks share; as many as ranks, where each has its own
 * @param cluster.linkBytes  a second, of the slowest link of the ring
 * @param cluster.turnSeconds of one turn of the ring with no bytes
 */
export function stepTime(step, { ranks, devices = ranks, linkBytes, turnSeconds }) {
  const waiting = Math.max(1, ranks / devices);
  const largestShare = Math.ceil(step.crops / ranks); // the others wait for the rank that has one more
  const encode = waiting * largestShare * step.cropSeconds;
  const own = waiting * step.ownSeconds;
  const turns = 2 * (ranks - 1);
  const exchange = ((turns / ranks) * step.bytes) / linkBytes + turns * step.messages * turnSeconds;
  return { encode, own, exchange, seconds: encode + own + exchange };
}

/**
 * Images a second by `devices`, and what bounds them: the devices, the processors that decode for them, or the storage
 * that all of them read.
 *
 * @param one.deviceImages  a second that one device encodes
 * @param one.decodeImages  a second that the processors beside one device decode
 * @param one.imageBytes    of one image's file, in the mean
 * @param storageBytes      a second that the storage gives to all devices together
 */
export function scoringRate(one, { devices, storageBytes }) {
  const rates = {
    device: devices * one.deviceImages,
    decoding: devices * one.decodeImages,
    storage: storageBytes / one.imageBytes,
  };
  const [bound, images] = Object.entries(rates).reduce((least, next) => (next[1] < least[1] ? next : least));
  return { images, bound };
}

/**
 * Seconds of processors that a step takes of all ranks together, where they exchange over a host's loopback, so that the
 * exchange is work of processors too: 2 (ranks - 1) times the summed bytes in all.
 * @param step.secondsPerByte  of the ring
 */
export function processorSeconds(step, ranks) {
  return step.crops * step.cropSeconds + ranks * step.ownSeconds + 2 * (ranks - 1) * step.bytes * step.secondsPerByte;
}

/**
 * Line through two steps of one rank: seconds of a crop, and of the rest.
 * @throws {Error} where the line has no meaning: the steps were disturbed by other work
 */
export function splitStep(smaller, larger) {
  const cropSeconds = (larger.seconds - smaller.seconds) / (larger.crops - smaller.crops);
  const ownSeconds = smaller.seconds - cropSeconds * smaller.crops;
  if (!(cropSeconds > 0 && ownSeconds >= 0))
    throw new Error(`bench: ${cropSeconds} s a crop and ${ownSeconds} s by itself: measure again, with more steps`);
  return { cropSeconds, ownSeconds };
}

/**
 * Fewest ranks from which on no doubling is worth its while; null where the last one still is.
 * @param rows  with `ranks` and `rate`, by ranks
 */
export function saturation(rows, worthwhile) {
  const last = rows.findLastIndex((row, i) => i > 0 && row.rate >= worthwhile * rows[i - 1].rate);
  if (last === rows.length - 1) return null;
  return rows[Math.max(0, last)].ranks;
}
