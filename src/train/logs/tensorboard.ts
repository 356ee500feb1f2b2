import { appendFile, open, readdir, stat, truncate } from "node:fs/promises";
import path from "node:path";
import { crc32c } from "../../base/checksums.js";
import { makeFolders } from "../../base/folders.js";

/**
 * Scalars for TensorBoard. Events are Protocol Buffers (tensorflow/core/util/event.proto) in TFRecord framing; only
 * scalars are written, so the few fields are encoded here. The engine's own writer exists on the native backend
 * alone, cannot be closed, and cannot drop events past a checkpoint.
 */
export class EventFile {
  private constructor(
    private readonly file: string,
    private length: number,
  ) {}

  /**
   * Opens the folder's event file, or starts one.
   * @param bytes      how much of it belongs to the position the run resumes at; the rest is dropped
   * @param startedAt  seconds since 1970, which TensorBoard wants in a new file's name
   */
  static async open(folder: string, bytes: number, startedAt: number): Promise<EventFile> {
    await makeFolders(folder);
    const known = (await readdir(folder)).find((name) => name.startsWith(PREFIX));
    const file = path.join(folder, known ?? `${PREFIX}${Math.floor(startedAt)}.liqe`);
    const kept = known === undefined ? 0 : Math.min(bytes, (await stat(file)).size); // more would be zeros
    if (known !== undefined) await truncate(file, kept);
    const events = new EventFile(file, kept);
    if (events.length === 0) await events.#append([[...double(1, startedAt), ...text(3, "brain.Event:2")]]);
    return events;
  }

  get bytes(): number {
    return this.length;
  }

  /** @param seconds  since 1970 */
  async scalars(step: number, seconds: number, values: Readonly<Record<string, number>>): Promise<void> {
    const summary = Object.entries(values).flatMap(([tag, value]) => message(1, [...text(1, tag), ...float(2, value)]));
    await this.#append([[...double(1, seconds), ...varint(2, step), ...message(5, summary)]]);
  }

  /** Waits until the disk has every event. */
  async sync(): Promise<void> {
    const handle = await open(this.file, "r+");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async #append(events: readonly number[][]): Promise<void> {
    const records = Buffer.concat(events.map((event) => tfRecord(Uint8Array.from(event))));
    try {
      await appendFile(this.file, records);
    } catch (error) {
      await truncate(this.file, this.length).catch(() => undefined); // no part of a record is left; the first error counts
      throw error;
    }
    this.length += records.length;
  }
}

const PREFIX = "events.out.tfevents.";

/** Length, its checksum, the data, its checksum; checksums masked as the format asks. */
function tfRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedChecksum(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedChecksum(data), true);
  return record;
}

/** tensorflow/core/lib/hash/crc32c.h: rotated right by 15, plus a constant. */
function maskedChecksum(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Protocol Buffers wire types. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const key = (field: number, wireType: number): number[] => [(field << 3) | wireType];

function varintBytes(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

const varint = (field: number, value: number): number[] => [...key(field, VARINT), ...varintBytes(value)];

const message = (field: number, bytes: readonly number[]): number[] => [
  ...key(field, BYTES),
  ...varintBytes(bytes.length),
  ...bytes,
];

const text = (field: number, value: string): number[] => message(field, [...new TextEncoder().encode(value)]);

const double = (field: number, value: number): number[] => [
  ...key(field, FIXED64),
  ...new Uint8Array(Float64Array.of(value).buffer),
];

const float = (field: number, value: number): number[] => [
  ...key(field, FIXED32),
  ...new Uint8Array(Float32Array.of(value).buffer),
];
