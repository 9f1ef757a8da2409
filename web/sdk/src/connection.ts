/**
 * One connection to the server, kept alive: it opens sockets, matches answers with requests, asks a silent server for a
 * sign of life, and opens the next socket when one is lost. Who is logged in is the session's business (`session.ts`): the
 * connection only asks it for the head of each frame, and holds requests back until it says that they may go.
 */
import { backoffMs } from './backoff.ts';
import type { Environment, SocketLike, Timer } from './environment.ts';
import { ChatError, LocalCode } from './errors.ts';
import { Requests } from './requests.ts';
import { readNumber, readText, type Fields } from './wire/fields.ts';
import { encodeFrame, FrameReader, type Frame } from './wire/frame.ts';

/** What the connection tells and asks. */
export interface ConnectionOwner {
  url(): string;
  /** The head of the next frame, without command and sequence number. */
  head(): Fields;
  /** A socket is open: log in, then call {@link Connection.release}. */
  opened(): void;
  /** The socket is lost. The next one is on its way. */
  lost(): void;
  /** A frame that answers nothing. */
  pushed(frame: Frame): void;
  /** An answer with an error, before its request is told. */
  refused(code: number, body: Fields): void;
}

/** How a request is sent. */
export interface RequestOptions {
  /** False: only on the socket that is open now, also before {@link Connection.release}. */
  repeats?: boolean;
  timeoutMs?: number;
}

/** A socket that has not opened after so long is given up. */
const OPEN_TIMEOUT_MS = 10_000;
/** After so long without a frame the server is asked for a sign of life. */
const IDLE_MS = 10_000;
/** So long it may take to give one. */
const HEARTBEAT_TIMEOUT_MS = 3_000;

const CLOSE_NORMAL = 4000;
const CLOSE_BEFORE_RECONNECT = 4001;

export class Connection {
  readonly #environment: Environment;
  readonly #owner: ConnectionOwner;
  readonly #requests: Requests;
  readonly #requestTimeoutMs: number;
  #socket: SocketLike | undefined;
  #isOpen = false;
  /** Requests may go out: somebody is logged in on this socket. */
  #released = false;
  #reader: FrameReader | undefined;
  /** Sockets lost since all was well. */
  #tries = 0;
  #heardAt = 0;
  /** Of the opening, the sign of life, or the next try: there is only ever one of them. */
  #timer: Timer;
  #forgetOnline: (() => void) | undefined;
  #running = false;

  constructor(
    environment: Environment,
    owner: ConnectionOwner,
    limits: { requestsMax: number; requestTimeoutMs: number },
  ) {
    this.#environment = environment;
    this.#owner = owner;
    this.#requests = new Requests(limits.requestsMax, environment.random);
    this.#requestTimeoutMs = limits.requestTimeoutMs;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Connects, and stays connected until `stop`. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#tries = 0;
    this.#forgetOnline = this.#environment.onOnline?.(() => this.#connectNow());
    this.#connect();
  }

  /** Disconnects and rejects all requests. */
  stop(): void {
    this.#running = false;
    this.#forgetOnline?.();
    this.#drop(CLOSE_NORMAL);
    const gone = (command: string) => new ChatError(LocalCode.NotLoggedIn, 'not logged in any more', command);
    this.#requests.fail(gone, 'all');
  }

  /** Gives this socket up and tries another one, after a delay that grows until `settled`. */
  restart(): void {
    if (!this.#running || !this.#socket) return;
    this.#lose(CLOSE_BEFORE_RECONNECT);
  }

  /** Sends what waits, and from now on everything at once. */
  release(): void {
    this.#released = true;
    for (const { command, seq, body } of this.#requests.repeatable()) this.#transmit(command, seq, body);
  }

  /** All is well: the next loss is the first one. */
  settled(): void {
    this.#tries = 0;
  }

  /**
   * Sends a request. Resolves with the body of its answer.
   *
   * @throws {ChatError} With the server's code, or `Timeout`, `TooManyRequests`, `ConnectionLost`, `NotLoggedIn`.
   */
  async request(command: string, body: Fields, options: RequestOptions = {}): Promise<Fields> {
    const { repeats = true, timeoutMs = this.#requestTimeoutMs } = options;
    if (!this.#running) throw new ChatError(LocalCode.NotLoggedIn, 'not logged in', command);
    if (!repeats && !this.#isOpen) throw lost(command);
    return new Promise<Fields>((resolve, reject) => {
      const request = this.#requests.add(command, body, repeats, {
        resolve: (answer) => {
          this.#environment.clearTimer(timer);
          resolve(answer);
        },
        reject: (error) => {
          this.#environment.clearTimer(timer);
          reject(error);
        },
      });
      // One deadline for a request, however often it is sent: a server that comes and goes does not keep it for ever.
      const timer = this.#environment.setTimer(() => {
        const late = this.#requests.take(command, request.seq);
        late?.reject(new ChatError(LocalCode.Timeout, `no answer after ${timeoutMs} ms`, command));
      }, timeoutMs);
      if (this.#released || !repeats) this.#transmit(command, request.seq, body);
    });
  }

  /** Sends a frame that is not answered; nothing happens without a connection. */
  post(command: string, body: Fields): void {
    if (this.#isOpen) this.#transmit(command, this.#requests.nextSeq(), body);
  }

  #transmit(command: string, seq: number, body: Fields): void {
    try {
      this.#socket?.send(encodeFrame({ ...this.#owner.head(), servcmd: command, seq }, body));
    } catch {
      // A socket that is closing refuses data; its `onclose` follows, and the request is sent on the next one.
    }
  }

  #connect(): void {
    let socket: SocketLike;
    try {
      socket = this.#environment.openSocket(this.#owner.url());
    } catch (problem) {
      // An address that is none will not become one. The login that waits for it tells.
      this.stop();
      throw problem;
    }
    socket.binaryType = 'arraybuffer';
    const isCurrent = () => socket === this.#socket;
    const reader = new FrameReader(
      this.#environment.inflate,
      (frame) => isCurrent() && this.#receive(frame),
      () => isCurrent() && this.#lose(CLOSE_BEFORE_RECONNECT),
    );
    socket.onopen = () => isCurrent() && this.#opened();
    socket.onmessage = (event: { data: unknown }) => {
      if (!isCurrent() || !(event.data instanceof ArrayBuffer)) return;
      this.#heardAt = this.#environment.now();
      reader.push(new Uint8Array(event.data));
    };
    socket.onclose = () => isCurrent() && this.#lose(CLOSE_NORMAL);
    // `onclose` follows. Without a listener some WebSockets throw.
    socket.onerror = () => {};
    this.#socket = socket;
    this.#reader = reader;
    this.#setTimer(() => this.#lose(CLOSE_BEFORE_RECONNECT), OPEN_TIMEOUT_MS);
  }

  /** The network is back, says the platform: a try that waits need not wait any longer. */
  #connectNow(): void {
    if (this.#socket) return;
    this.#environment.clearTimer(this.#timer);
    this.#connect();
  }

  #opened(): void {
    this.#isOpen = true;
    this.#heardAt = this.#environment.now();
    this.#watch();
    this.#owner.opened();
  }

  /** Ends the socket and plans the next one. */
  #lose(code: number): void {
    this.#drop(code);
    this.#requests.fail(lost, 'unrepeatable');
    const delayMs = backoffMs(this.#tries++, this.#environment.random());
    this.#setTimer(() => this.#connect(), delayMs);
    this.#owner.lost();
  }

  #drop(code: number): void {
    this.#environment.clearTimer(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isOpen = false;
    this.#released = false;
    this.#reader?.end();
    // Not before the socket is no longer the current one: its `onclose` is old news then.
    socket?.close(code);
  }

  /** Waits until nothing was heard for long enough. The timer is not moved by every frame: there may be hundreds a second. */
  #watch(): void {
    const silentMs = this.#environment.now() - this.#heardAt;
    if (silentMs < IDLE_MS) return this.#setTimer(() => this.#watch(), IDLE_MS - silentMs);
    const askedAt = this.#environment.now();
    // Any answer will do: the server answers this command to anybody, logged in or not.
    this.request('heartbeat.alive', {}, { repeats: false }).catch(() => {});
    this.#setTimer(() => {
      // Any frame is a sign of life: on a slow line the answer may be behind many others.
      if (this.#heardAt >= askedAt) this.#watch();
      else this.#lose(CLOSE_BEFORE_RECONNECT);
    }, HEARTBEAT_TIMEOUT_MS);
  }

  #receive(frame: Frame): void {
    const request = this.#requests.take(frame.command, frame.seq);
    if (!request) return this.#owner.pushed(frame);
    const code = readNumber(frame.body, 'ErrorCode');
    if (code === 0) return request.resolve(frame.body);
    this.#owner.refused(code, frame.body);
    request.reject(new ChatError(code, readText(frame.body, 'ErrorInfo') || `error ${code}`, frame.command));
  }

  #setTimer(run: () => void, delayMs: number): void {
    this.#environment.clearTimer(this.#timer);
    this.#timer = this.#environment.setTimer(run, delayMs);
  }
}

function lost(command: string): ChatError {
  return new ChatError(LocalCode.ConnectionLost, 'the connection was lost', command);
}
