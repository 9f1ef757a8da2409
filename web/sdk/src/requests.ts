/** The requests that wait for their answer. Knows neither sockets nor time. */
import { ChatError, LocalCode } from './errors.ts';
import type { Fields } from './wire/fields.ts';

/** One request. */
export interface Request {
  readonly command: string;
  readonly seq: number;
  readonly body: Fields;
  /** Waits for a connection and is sent again after it was lost; else it ends with the connection. */
  readonly repeats: boolean;
  resolve(body: Fields): void;
  reject(error: ChatError): void;
}

/** Sequence numbers end here and begin anew. */
const SEQ_MAX = 2_415_919_103;
/** The first number is below this. */
const SEQ_START_MAX = 100_000_000;

/** Requests by command and sequence number, in the order in which they were made. */
export class Requests {
  readonly #waiting = new Map<string, Request>();
  readonly #max: number;
  readonly #random: () => number;
  #seq: number;

  constructor(max: number, random: () => number) {
    this.#max = max;
    this.#random = random;
    this.#seq = this.#start();
  }

  /** @throws {ChatError} `TooManyRequests` */
  add(command: string, body: Fields, repeats: boolean, settle: Pick<Request, 'resolve' | 'reject'>): Request {
    if (this.#waiting.size >= this.#max) {
      throw new ChatError(LocalCode.TooManyRequests, `${this.#max} requests wait for their answer`, command);
    }
    const request = { command, seq: this.nextSeq(), body, repeats, ...settle };
    this.#waiting.set(key(command, request.seq), request);
    return request;
  }

  /** A number of its own for every frame that is sent. */
  nextSeq(): number {
    this.#seq = this.#seq >= SEQ_MAX ? this.#start() : this.#seq + 1;
    return this.#seq;
  }

  /** Takes out the request that a frame answers; undefined if it answers none. */
  take(command: string, seq: number): Request | undefined {
    const request = this.#waiting.get(key(command, seq));
    if (request) this.#waiting.delete(key(command, seq));
    return request;
  }

  /** Those that are to be sent, again or for the first time. */
  repeatable(): Request[] {
    return [...this.#waiting.values()].filter((request) => request.repeats);
  }

  /** Ends all requests, or only those that do not survive their connection. */
  fail(error: (command: string) => ChatError, which: 'all' | 'unrepeatable'): void {
    for (const [name, request] of [...this.#waiting]) {
      if (which === 'unrepeatable' && request.repeats) continue;
      this.#waiting.delete(name);
      request.reject(error(request.command));
    }
  }

  #start(): number {
    return Math.floor(this.#random() * SEQ_START_MAX);
  }
}

function key(command: string, seq: number): string {
  return `${command} ${seq}`;
}
