/** Images that requests bring: read with bounds on number, bytes and memory. */
import type { MultipartFile } from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import { plural, reasonOf } from "../../base/text.js";

/** Image of a request, not yet decoded. */
export interface Upload {
  /** Name by which messages and the answer call it. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** Request that is not served, with its HTTP status. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    readonly status: 400 | 401 | 403 | 413 | 503,
    message: string,
  ) {
    super(message);
  }
}

export interface RoomLimits {
  /** Images that may be in work at once. */
  readonly images: number;
  /** Bytes of one image's file. */
  readonly imageBytes: number;
  /** Bytes of all files that are in memory at once. */
  readonly bytes: number;
}

/** Room for images in work: who finds it full is told to come back. */
export class Room {
  #images = 0;
  #bytes = 0;
  #onEmpty: (() => void)[] = [];

  /** @param onChange  told of the number of images after each change */
  constructor(
    readonly limits: RoomLimits,
    private readonly onChange: (images: number) => void,
  ) {}

  /** Place for a request of at least one image. @throws {Refusal} 503 where the room is full */
  enter(): Place {
    this.take(1);
    return new Place(this);
  }

  /** Resolves once no image is in work. */
  async emptied(): Promise<void> {
    if (this.#images > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve));
  }

  /** @internal */
  take(images: number): void {
    if (this.#images + images > this.limits.images) {
      throw new Refusal(503, `the queue is full, with ${plural(this.limits.images, "image")} in work; try again`);
    }
    this.#images += images;
    this.onChange(this.#images);
  }

  /** @internal */
  hold(bytes: number): void {
    if (this.#bytes + bytes > this.limits.bytes) throw new Refusal(503, "the uploads' memory is full; try again");
    this.#bytes += bytes;
  }

  /** @internal */
  give(images: number, bytes: number): void {
    this.#images -= images;
    this.#bytes -= bytes;
    this.onChange(this.#images);
    if (this.#images === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}

/** Share of the room that one request has until it `leave`s. */
class Place {
  #images = 1;
  #bytes = 0;

  constructor(private readonly room: Room) {}

  get limits(): RoomLimits {
    return this.room.limits;
  }

  /** Room for one more image. @throws {Refusal} 413 where a request has too many, 503 where the room is full */
  addImage(): void {
    const { images } = this.limits;
    if (this.#images >= images)
      throw new Refusal(413, `more than ${plural(images, "image")} in one request; send several`);
    this.room.take(1);
    this.#images++;
  }

  /** Room for bytes. @throws {Refusal} 503 where the room is full */
  addBytes(bytes: number): void {
    this.room.hold(bytes);
    this.#bytes += bytes;
  }

  leave(): void {
    this.room.give(this.#images, this.#bytes);
    [this.#images, this.#bytes] = [0, 0];
  }
}

/**
 * Reads the images of a request: its body, or the files of a multipart body in their order.
 * @throws {Refusal} where there is none, too much of it, or the body is broken; the rest is left to be discarded
 */
export async function readUploads(request: FastifyRequest, place: Place): Promise<Upload[]> {
  try {
    if (request.isMultipart()) return await readFiles(request, place);
    return [{ name: nameOf(request.query), bytes: await readBody(request, place) }];
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(400, `the body is broken (${reasonOf(error)}); send it again`);
  }
}

async function readFiles(request: FastifyRequest, place: Place): Promise<Upload[]> {
  const uploads: Upload[] = [];
  let refusal: Refusal | null = null;
  const { imageBytes, images } = place.limits;
  const limits = { fileSize: imageBytes + 1, files: images + 1, fieldSize: 1024, fields: 16 };
  for await (const part of request.parts({ limits })) {
    if (part.type === "field") continue;
    const upload: Upload | Refusal | null = refusal === null ? await readPart(part, place, uploads.length) : null;
    if (upload === null)
      part.file.resume(); // to the end, so that the client hears why
    else if (upload instanceof Refusal) refusal = upload;
    else uploads.push(upload);
  }
  if (refusal !== null) throw refusal;
  if (uploads.length === 0) throw new Refusal(400, "the multipart body has no file; send each image as a file");
  return uploads;
}

/** Name of a single image: `?name=` of the address. */
function nameOf(query: unknown): string {
  const name = (query as { readonly name?: unknown }).name; // an object of texts, or of lists of them
  return typeof name === "string" && name !== "" ? name : "image";
}

async function readBody({ raw, headers }: FastifyRequest, place: Place): Promise<Buffer> {
  const most = place.limits.imageBytes;
  if (Number(headers["content-length"] ?? 0) > most) throw tooLarge(most);
  return collect(raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>, place); // a request's chunks
}

/** Reads a file of a multipart body to its end. @returns the refusal, where it is refused */
async function readPart(part: MultipartFile, place: Place, before: number): Promise<Upload | Refusal> {
  try {
    if (before > 0) place.addImage();
    const name = part.filename === "" ? `image ${before + 1}` : part.filename;
    const chunks = part.file.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>; // a file's chunks
    return { name, bytes: await collect(chunks, place) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    part.file.resume();
    return error;
  }
}

async function collect(chunks: AsyncIterable<Buffer>, place: Place): Promise<Buffer> {
  const most = place.limits.imageBytes;
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > most) throw tooLarge(most);
    place.addBytes(chunk.length);
    parts.push(chunk);
  }
  return Buffer.concat(parts, length);
}

function tooLarge(most: number): Refusal {
  return new Refusal(413, `the image has more than ${most} bytes, which --max-upload allows; make it smaller`);
}
