/** A filter as its non-zero taps; the weights sum to 1. */
export interface Kernel {
  readonly taps: readonly Tap[];
  /** The largest offset of a tap in either direction. */
  readonly reach: number;
}

interface Tap {
  readonly down: number;
  readonly right: number;
  readonly weight: number;
}

/** Taps farther out than this many standard deviations are left out: together under 0.3 % of the weight. */
const GAUSSIAN_REACH = 3;

/** Points per pixel side in which a disk's cover of a pixel is counted. */
const DISK_SUBSAMPLES = 16;

/** Points per pixel of length with which a motion's path is drawn. */
const MOTION_SUBSAMPLES = 16;

/** A Gaussian along one axis; two of them, one an axis, make the round one. */
export function gaussianKernel(sigma: number, axis: "down" | "right"): Kernel {
  const reach = Math.max(1, Math.ceil(GAUSSIAN_REACH * sigma));
  const taps: Tap[] = [];
  for (let d = -reach; d <= reach; d++) {
    const weight = Math.exp((-d * d) / (2 * sigma * sigma));
    taps.push(axis === "down" ? { down: d, right: 0, weight } : { down: 0, right: d, weight });
  }
  return normalized(taps);
}

/** A disk, the picture of a point out of focus: each pixel weighs as much of it as the disk covers. */
export function diskKernel(radius: number): Kernel {
  const reach = Math.ceil(radius);
  const taps: Tap[] = [];
  for (let down = -reach; down <= reach; down++) {
    for (let right = -reach; right <= reach; right++) {
      const weight = coverOfDisk(radius, down, right);
      if (weight > 0) taps.push({ down, right, weight });
    }
  }
  return normalized(taps);
}

/** A straight movement of `length` pixels during the exposure, at `angle` radians from the rows, about the centre. */
export function motionKernel(length: number, angle: number): Kernel {
  const weights = new Map<string, Tap>();
  const add = (down: number, right: number, weight: number) => {
    const key = `${down},${right}`;
    const before = weights.get(key)?.weight ?? 0;
    if (weight > 0) weights.set(key, { down, right, weight: before + weight });
  };
  const points = Math.max(1, Math.round(length * MOTION_SUBSAMPLES));
  for (let i = 0; i < points; i++) {
    const along = ((i + 0.5) / points - 0.5) * length;
    const y = along * Math.sin(angle);
    const x = along * Math.cos(angle);
    const [top, left] = [Math.floor(y), Math.floor(x)];
    const [dy, dx] = [y - top, x - left];
    add(top, left, (1 - dy) * (1 - dx));
    add(top, left + 1, (1 - dy) * dx);
    add(top + 1, left, dy * (1 - dx));
    add(top + 1, left + 1, dy * dx);
  }
  return normalized([...weights.values()]);
}

/** The share of the pixel at an offset that lies within a disk about the origin. */
function coverOfDisk(radius: number, down: number, right: number): number {
  let inside = 0;
  for (let i = 0; i < DISK_SUBSAMPLES; i++) {
    for (let j = 0; j < DISK_SUBSAMPLES; j++) {
      const y = down - 0.5 + (i + 0.5) / DISK_SUBSAMPLES;
      const x = right - 0.5 + (j + 0.5) / DISK_SUBSAMPLES;
      if (x * x + y * y <= radius * radius) inside++;
    }
  }
  return inside / DISK_SUBSAMPLES ** 2;
}

function normalized(taps: readonly Tap[]): Kernel {
  const sum = taps.reduce((total, tap) => total + tap.weight, 0);
  return {
    taps: taps.map((tap) => ({ ...tap, weight: tap.weight / sum })),
    reach: Math.max(...taps.map(({ down, right }) => Math.max(Math.abs(down), Math.abs(right)))),
  };
}
