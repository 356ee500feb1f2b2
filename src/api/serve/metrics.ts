import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** Upper ends of the histogram of seconds: from a picture of one window to a queue of many. */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Upper ends of the histogram of windows a batch. */
const WINDOWS = [1, 2, 4, 8, 15, 16, 24, 32, 64, 128];

/** Figures of a service as Prometheus reads them; each service has a registry of its own. */
export class ServiceMetrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: "liqe_requests_total",
    help: "Requests answered, by route and HTTP status",
    labelNames: ["route", "status"],
    registers: [this.#registry],
  });
  readonly #seconds = new Histogram({
    name: "liqe_request_seconds",
    help: "Seconds from a request's head to the end of its answer, by route",
    labelNames: ["route"],
    buckets: SECONDS,
    registers: [this.#registry],
  });
  readonly #images = new Counter({
    name: "liqe_images_total",
    help: "Images scored, and images that could not be",
    labelNames: ["outcome"],
    registers: [this.#registry],
  });
  readonly #queue = new Gauge({
    name: "liqe_queue_length",
    help: "Images in work: being received, decoded, waiting or computed",
    registers: [this.#registry],
  });
  readonly #batches = new Histogram({
    name: "liqe_batch_windows",
    help: "Windows in a batch of the encoder",
    buckets: WINDOWS,
    registers: [this.#registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
    for (const outcome of ["scored", "failed"]) this.#images.inc({ outcome }, 0); // there from the beginning
  }

  countRequest(route: string, status: number, seconds: number): void {
    this.#requests.inc({ route, status });
    this.#seconds.observe({ route }, seconds);
  }

  countImage(outcome: "scored" | "failed"): void {
    this.#images.inc({ outcome });
  }

  setQueueLength(images: number): void {
    this.#queue.set(images);
  }

  countBatch(windows: number): void {
    this.#batches.observe(windows);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Figures in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
