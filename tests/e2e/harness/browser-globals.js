/**
 * The little of a browser that the client packages need when they run in Node.
 *
 * Import this module before the package: both packages look at these globals while they load.
 */
import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';

/** @type {Map<string, string>} */
const stored = new Map();

const localStorage = {
  getItem: (/** @type {string} */ key) => stored.get(key) ?? null,
  setItem: (/** @type {string} */ key, /** @type {unknown} */ value) => void stored.set(key, String(value)),
  removeItem: (/** @type {string} */ key) => void stored.delete(key),
  clear: () => stored.clear(),
};

/** With a private server address the packages talk over the socket only. Any other request is a finding. */
class RefusedXmlHttpRequest {
  open(/** @type {string} */ method, /** @type {string} */ url) {
    process.send?.({ kind: 'stray-request', request: `${method} ${url}` });
    throw new Error(`the package tried an HTTP request: ${method} ${url}`);
  }
}

class ImageStandIn {}
class InputElementStandIn {}

const navigator = {
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36',
  platform: 'Linux x86_64',
  language: 'en',
  cookieEnabled: true,
  onLine: true,
};

/**
 * Frames are shown to `observe` as they pass: `{direction: 'out' | 'in' | 'open' | 'close', binary, data}`.
 *
 * @param {(event: {direction: string, binary?: boolean, data?: Buffer, url?: string, code?: number}) => void} observe
 * @returns {{cut: () => void}} `cut` drops every open socket without a closing handshake.
 */
export function installBrowserGlobals(observe) {
  /** @type {Set<WebSocket>} */
  const open = new Set();

  class ObservedWebSocket extends WebSocket {
    /** @param {string} url */
    constructor(url, /** @type {any} */ protocols) {
      super(url, protocols);
      this.on('open', () => {
        open.add(this);
        observe({ direction: 'open', url });
      });
      this.on('message', (data, binary) =>
        observe({ direction: 'in', binary, data: Buffer.from(/** @type {ArrayBuffer} */ (data)) }),
      );
      this.on('close', (code) => {
        open.delete(this);
        observe({ direction: 'close', code });
      });
    }

    /** @param {any} data */
    send(data, /** @type {any[]} */ ...rest) {
      observe({ direction: 'out', binary: typeof data !== 'string', data: Buffer.from(data) });
      // @ts-ignore: the overloads of `send` are passed through unchanged.
      return super.send(data, ...rest);
    }
  }

  const window = {
    navigator,
    location: { href: 'http://localhost/', protocol: 'http:', host: 'localhost', hostname: 'localhost' },
    localStorage,
    performance,
    console,
    URL: { createObjectURL: () => `blob:${randomUUID()}`, revokeObjectURL: () => {} },
    addEventListener: () => {},
    removeEventListener: () => {},
  };
  const globals = {
    window,
    navigator,
    document: { charset: 'UTF-8', characterSet: 'UTF-8', addEventListener: () => {}, removeEventListener: () => {} },
    localStorage,
    XMLHttpRequest: RefusedXmlHttpRequest,
    WebSocket: ObservedWebSocket,
    Image: ImageStandIn,
    HTMLInputElement: InputElementStandIn,
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }

  return {
    cut: () => {
      for (const socket of open) socket.terminate();
    },
  };
}
