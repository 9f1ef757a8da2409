/**
 * Frames: one JSON object `{"head": …, "body": …}` in UTF-8, in binary WebSocket messages. The server may compress what it
 * sends: then the four bytes `COMP` come first and a zlib or gzip stream behind them.
 */
import { isFields, readNumber, readObject, readText, type Fields } from './fields.ts';

/** A frame from the server: a reply if command and seq are those of a request, else a push. */
export interface Frame {
  readonly command: string;
  readonly seq: number;
  readonly body: Fields;
}

/** Undoes a compression; rejects when the data is broken or becomes longer than `bytesMax`. */
export type Inflate = (data: Uint8Array, format: 'deflate' | 'gzip', bytesMax: number) => Promise<Uint8Array>;

/** Largest frame that is taken, decompressed, in bytes. The server's own answers stay below a third of it. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

const COMPRESSED_MARK = [0x43, 0x4f, 0x4d, 0x50];
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export function encodeFrame(head: Fields, body: Fields): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify({ head, body }));
}

/** @throws If the bytes are no frame. */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.length > FRAME_BYTES_MAX) throw new Error(`a frame of ${bytes.length} bytes, at most ${FRAME_BYTES_MAX}`);
  const frame: unknown = JSON.parse(decoder.decode(bytes));
  if (!isFields(frame) || !isFields(frame.head)) throw new Error('a frame without head');
  return {
    command: readText(frame.head, 'servcmd'),
    seq: readNumber(frame.head, 'seq'),
    body: readObject(frame, 'body'),
  };
}

export function isCompressed(bytes: Uint8Array): boolean {
  return COMPRESSED_MARK.every((byte, index) => bytes[index] === byte);
}

/**
 * Turns received messages into frames, in the order of their arrival: decompression takes a moment, and what came after a
 * compressed frame waits for it.
 */
export class FrameReader {
  /** Messages that may wait for a decompression. More means that the reader cannot keep up. */
  static readonly WAITING_MAX = 1024;

  readonly #inflate: Inflate | undefined;
  readonly #received: (frame: Frame) => void;
  readonly #failed: (problem: unknown) => void;
  #waiting: Uint8Array[] = [];
  #busy = false;
  #ended = false;

  /** `failed` is called at most once: after it nothing is read any more. */
  constructor(inflate: Inflate | undefined, received: (frame: Frame) => void, failed: (problem: unknown) => void) {
    this.#inflate = inflate;
    this.#received = received;
    this.#failed = failed;
  }

  push(bytes: Uint8Array): void {
    if (this.#ended) return;
    if (!this.#busy && !isCompressed(bytes)) return this.#take(bytes);
    if (this.#waiting.length >= FrameReader.WAITING_MAX) return this.#fail(new Error('frames arrive too fast'));
    this.#waiting.push(bytes);
    if (!this.#busy) void this.#drain();
  }

  /** What is waiting is dropped. */
  end(): void {
    this.#ended = true;
    this.#waiting = [];
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    for (let bytes = this.#waiting.shift(); bytes && !this.#ended; bytes = this.#waiting.shift()) {
      if (!isCompressed(bytes)) {
        this.#take(bytes);
        continue;
      }
      try {
        const inflated = await this.#decompress(bytes.subarray(COMPRESSED_MARK.length));
        if (!this.#ended) this.#take(inflated);
      } catch (problem) {
        this.#fail(problem);
      }
    }
    this.#busy = false;
  }

  #decompress(data: Uint8Array): Promise<Uint8Array> {
    if (!this.#inflate) throw new Error('a compressed frame, and no way to decompress it');
    const gzip = data[0] === 0x1f && data[1] === 0x8b;
    return this.#inflate(data, gzip ? 'gzip' : 'deflate', FRAME_BYTES_MAX);
  }

  #take(bytes: Uint8Array): void {
    let frame;
    try {
      frame = decodeFrame(bytes);
    } catch (problem) {
      return this.#fail(problem);
    }
    this.#received(frame);
  }

  #fail(problem: unknown): void {
    if (this.#ended) return;
    this.end();
    this.#failed(problem);
  }
}
