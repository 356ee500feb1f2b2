/** The scoring service: routes, authorization, timeouts and an end that loses nothing. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import path from "node:path";
import multipart from "@fastify/multipart";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { ConfigError } from "../../base/errors.js";
import { packageVersion } from "../../base/packageInfo.js";
import { reasonOf } from "../../base/text.js";
import { DamageLog } from "../../data/images/damage.js";
import { load, type LoadOptions, type Model } from "../load.js";
import { DAMAGE_ADVICE, type PredictOptions, scoringOf } from "../predict.js";
import { predictionJson } from "../predictions/predictionJson.js";
import { reporterOf } from "../work.js";
import { ServiceMetrics } from "./metrics.js";
import { PAGE_POLICY, readPage } from "./page.js";
import { UploadScorer } from "./scoring.js";
import { readUploads, Refusal, Room } from "./uploads.js";

/** Options of `serve`. */
export interface ServeOptions
  extends LoadOptions, Pick<PredictOptions, "crops" | "small" | "maxMegapixels" | "orientation" | "batch"> {
  /** Address to listen on; loopback by default, and any other one needs a token. */
  readonly host?: string | undefined;
  /** Port, 0 for any free one; 8080 by default. */
  readonly port?: number | undefined;
  /** Secret that requests to score bring as `Authorization: Bearer`; none by default. */
  readonly token?: string | undefined;
  /** Images in work at once, beyond which requests are answered 503; 128 by default. */
  readonly maxQueue?: number | undefined;
  /** Megabytes of one image's file; 64 by default. */
  readonly maxUpload?: number | undefined;
  /** Seconds in which a request has to arrive whole; 30 by default. */
  readonly uploadTimeout?: number | undefined;
}

/** Service that listens. */
export interface Service {
  /** Address with its port: `http://127.0.0.1:8080`. */
  readonly address: string;
  /** Ends it: what is in work is answered, what comes later is refused. */
  readonly close: () => Promise<void>;
}

/** Bytes of uploads in memory at once, in images of the largest size: what waits after that is small. */
const UPLOADS_IN_MEMORY = 8;

/** Seconds after which a client that was told of a full queue may come back. */
const RETRY_AFTER_SECONDS = 1;

const MEGABYTE = 1e6;

/**
 * Loads a model and scores images that come by HTTP, until `close`.
 * @param checkpoint  as of `load`
 * @throws {ConfigError} where the address is not loopback and there is no token, or it cannot be listened on
 * @throws {CheckpointError}, {EngineError} as `load`
 */
export async function serve(checkpoint?: string, options: ServeOptions = {}): Promise<Service> {
  const { host = "127.0.0.1", port = 8080, token, uploadTimeout = 30 } = options;
  requireToken(host, token);
  const model = await load(checkpoint, options);
  try {
    const { app, room } = await makeApp(model, { ...options, uploadTimeout });
    const connections = new Connections(app);
    const address = await app.listen({ host, port }).catch((error: unknown) => {
      throw cannotListen(error, host, port);
    });
    const close = async () => {
      await connections.close(uploadTimeout);
      await room.emptied(); // images whose clients are gone are in work all the same
      model.dispose();
    };
    return { address, close };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** @throws {ConfigError} where others than this machine could reach a service without a token */
function requireToken(host: string, token: string | undefined): void {
  if (token !== undefined && !/^[\x21-\x7e]{8,}$/.test(token)) {
    throw new ConfigError("--token: must be 8 or more letters, digits and signs of ASCII, without blanks");
  }
  const isLoopback = host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
  if (isLoopback || token !== undefined) return;
  throw new ConfigError(
    `--host ${host}: others can reach it there; give --token T (or LIQE_TOKEN) too, or leave --host out for this machine alone`,
  );
}

function cannotListen(error: unknown, host: string, port: number): unknown {
  if (!(error instanceof Error && "code" in error)) return error;
  if (error.code === "EADDRINUSE") return new ConfigError(`--port ${port}: is in use on ${host}; name another one, or 0 for any free one`); // prettier-ignore
  if (error.code === "EACCES") return new ConfigError(`--port ${port}: permission is denied; name one from 1024 on`);
  const isUnknown = error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND";
  return isUnknown
    ? new ConfigError(`--host ${host}: is no address of this machine; name one, or leave it out`)
    : error;
}

type AppOptions = ServeOptions & { readonly uploadTimeout: number };

async function makeApp(
  model: Model,
  options: AppOptions,
): Promise<{ readonly app: FastifyInstance; readonly room: Room }> {
  const milliseconds = 1000 * options.uploadTimeout;
  const app = Fastify({
    requestTimeout: milliseconds,
    http: { headersTimeout: milliseconds, connectionsCheckingInterval: Math.min(1000, milliseconds / 4) },
  });
  const metrics = new ServiceMetrics();
  app.removeAllContentTypeParsers(); // an image is an image, whatever a client calls it
  await app.register(multipart, { throwFileSizeLimit: false });
  app.addContentTypeParser("*", (_request, body, done) => {
    done(null, body); // `readUploads` reads it, with bounds
  });
  app.addHook("onRequest", (request, _reply, done) => {
    done(refusalOf(request, options.token));
  });
  app.addHook("onResponse", (request, reply, done) => {
    metrics.countRequest(request.routeOptions.url ?? "none", reply.statusCode, reply.elapsedTime / 1000);
    done();
  });
  const nothing = { error: "there is GET /, /health, /metrics and POST /score" };
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(nothing));
  app.setErrorHandler((error, _request, reply) => answerError(error, reply, reporterOf(options).note));
  const room = addScoring(app, { model, metrics, options });
  app.get("/metrics", async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  await addPage(app);
  return { app, room };
}

interface Parts {
  readonly model: Model;
  readonly metrics: ServiceMetrics;
  readonly options: ServeOptions;
}

function addScoring(app: FastifyInstance, { model, metrics, options }: Parts): Room {
  const { maxQueue = 128, maxUpload = 64, orientation = "ignore" } = options;
  const imageBytes = maxUpload * MEGABYTE;
  const limits = { images: maxQueue, imageBytes, bytes: UPLOADS_IN_MEMORY * imageBytes };
  const room = new Room(limits, (images) => {
    metrics.setQueueLength(images);
  });
  const { note } = reporterOf(options);
  const noteSafely = (line: string) => {
    note(line.replaceAll(/\p{Cc}/gu, "\uFFFD")); // a client gives names
  };
  const scoringBy = () => {
    const damage = new DamageLog(noteSafely, DAMAGE_ADVICE); // of one request: names of all would fill the memory
    return { damage, ...scoringOf(options, damage) };
  };
  const onBatch = (windows: number) => {
    metrics.countBatch(windows);
  };
  const { crops, microBatch } = scoringBy();
  const scorer = new UploadScorer(model, { crops, microBatch, onBatch });
  app.post("/score", async (request, reply) => {
    const place = room.enter();
    try {
      const uploads = await readUploads(request, place);
      const { damage, images } = scoringBy();
      const found = await scorer.score(uploads, images);
      damage.close();
      for (const one of found) metrics.countImage("error" in one ? "failed" : "scored");
      if (found.some((one) => "error" in one)) reply.code(422);
      const objects = found.map((one) => predictionJson(one, orientation));
      return await reply.send(request.isMultipart() ? objects : objects[0]);
    } finally {
      place.leave();
    }
  });
  app.get("/health", () => ({
    status: "ok",
    model: path.basename(path.resolve(model.name)),
    version: packageVersion(),
  }));
  return room;
}

/** Routes that a token guards; the page asks for it, and a probe has none. */
const GUARDED: readonly (string | undefined)[] = ["/score", "/metrics"];

/** Reason to refuse a request: no token, or a page of another site that has a browser make it; undefined for none. */
function refusalOf({ headers, routeOptions }: FastifyRequest, token: string | undefined): Refusal | undefined {
  const { origin, host = "", authorization = "" } = headers;
  if (!GUARDED.includes(routeOptions.url)) return undefined;
  if (origin?.endsWith(`//${host}`) === false) return new Refusal(403, "the request comes from a page of another site");
  if (token === undefined || isSame(authorization, `Bearer ${token}`)) return undefined;
  return new Refusal(401, "needs the header Authorization: Bearer TOKEN, with the token that the service was given");
}

/** Comparison in a time that says nothing of where two texts differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function answerError(error: unknown, reply: FastifyReply, note: (line: string) => void): FastifyReply {
  if (error instanceof Refusal) {
    if (error.status === 503) reply.header("retry-after", RETRY_AFTER_SECONDS);
    if (error.status === 401) reply.header("www-authenticate", "Bearer");
    return reply.code(error.status).send({ error: error.message });
  }
  const { statusCode = 500 } = error as { readonly statusCode?: number }; // an error of the server's parts may have one
  if (statusCode < 500) return reply.code(statusCode).send({ error: reasonOf(error) });
  note(`liqe serve: ${reasonOf(error)}`);
  return reply.code(500).send({ error: "the service failed at this request; its log says why" });
}

async function addPage(app: FastifyInstance): Promise<void> {
  for (const { address, type, contents } of await readPage()) {
    app.get(address, (_request, reply) =>
      reply
        .headers({ "content-security-policy": PAGE_POLICY, "x-content-type-options": "nosniff" })
        .type(type)
        .send(contents),
    );
  }
}

/** Connections of a service, with the newest request of each. */
class Connections {
  readonly #requests = new Map<Socket, IncomingMessage | null>();

  constructor(private readonly app: FastifyInstance) {
    app.server.on("connection", (socket) => {
      this.#requests.set(socket, null);
      socket.on("close", () => this.#requests.delete(socket));
    });
    app.server.on("request", (request: IncomingMessage) => this.#requests.set(request.socket, request));
  }

  /** Takes no more, waits until all are answered, and `seconds` at most for a request to arrive whole. */
  async close(seconds: number): Promise<void> {
    const cut = setTimeout(() => {
      this.#cutArriving(); // Node looks at no timeout any more once a server closes
    }, 1000 * seconds);
    await this.app.close();
    clearTimeout(cut);
  }

  #cutArriving(): void {
    for (const [socket, request] of this.#requests) if (request?.complete !== true) socket.destroy();
  }
}
