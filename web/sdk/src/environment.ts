/** What the client takes from the outside world. Tests bring their own. */
import { inflate } from './wire/inflate.ts';
import type { Inflate } from './wire/frame.ts';

/** The part of a WebSocket that the client uses; browsers' and the `ws` package's have it. */
export interface SocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** Names a timer; what it is differs between platforms. */
export type Timer = unknown;

/** Clock, timers, chance and sockets. */
export interface Environment {
  /** Milliseconds since 1970. */
  now(): number;
  setTimer(run: () => void, delayMs: number): Timer;
  clearTimer(timer: Timer): void;
  /** A number from 0 to below 1. */
  random(): number;
  openSocket(url: string): SocketLike;
  /** Absent: the server is asked not to compress. */
  inflate?: Inflate | undefined;
  /** Calls `run` whenever the network is back, as far as the platform tells, until the returned function is called. */
  onOnline?(run: () => void): () => void;
}

/** A constructor of WebSockets. */
export type SocketConstructor = new (url: string) => SocketLike;

/** The environment of a browser or of Node. `WebSocket` replaces the global one, which Node has from version 22. */
export function systemEnvironment(WebSocket?: SocketConstructor): Environment {
  const Socket: SocketConstructor | undefined = WebSocket ?? globalThis.WebSocket;
  return {
    now: () => Date.now(),
    setTimer: (run, delayMs) => setTimeout(run, delayMs),
    clearTimer: (timer) => clearTimeout(timer as never),
    random: () => Math.random(),
    openSocket: (url) => {
      if (!Socket) throw new Error('there is no global WebSocket here: give one to the ChatClient');
      return new Socket(url);
    },
    inflate,
    onOnline: (run) => {
      // Node has no such event; there the timers alone bring the connection back.
      globalThis.addEventListener?.('online', run);
      return () => globalThis.removeEventListener?.('online', run);
    },
  };
}
