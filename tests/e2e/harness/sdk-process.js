/**
 * One client: runs in a process of its own, because the packages keep one instance per SDKAppID and process.
 *
 * Takes requests `{id, operation, ...}` from its parent and sends `{kind: 'answer', id, value | error}`,
 * `{kind: 'event', name, data}` for every event of the package and `{kind: 'frame', ...}` for every frame on its socket.
 */
import { createRequire } from 'node:module';
import { installBrowserGlobals } from './browser-globals.js';
import { decodeFrame } from './frame.js';

const socket = installBrowserGlobals(({ direction, binary, data, url, code }) => {
  if (data === undefined) {
    tell({ kind: 'frame', direction, url, code });
    return;
  }
  tell({ kind: 'frame', direction, binary, ...decodeFrame(data) });
});

const require = createRequire(import.meta.url);
/** @type {Record<string, string>} */
const PACKAGES = {
  chat: '@tencentcloud/chat',
  tim: 'tim-js-sdk',
  'tim-friendship': 'tim-js-sdk/tim-js-friendship.js',
};

/** @type {any} */
let chat;
/** Every message that the package has shown, so that a later request can name it by its ID. @type {Map<string, any>} */
const messages = new Map();

/** @param {object} message */
function tell(message) {
  process.send?.(message);
}

/** @param {any} value */
function remember(value) {
  if (Array.isArray(value)) value.forEach(remember);
  else if (value?.ID && value.conversationID && value.payload) messages.set(value.ID, value);
  else if (value && typeof value === 'object') {
    if (value.messageList) remember(value.messageList);
    if (value.message) remember(value.message);
  }
}

/** `{$message: ID}` stands for the message object itself. @param {any} value @returns {any} */
function resolve(value) {
  if (Array.isArray(value)) return value.map(resolve);
  if (!value || typeof value !== 'object') return value;
  if (value.$message !== undefined) {
    const message = messages.get(value.$message);
    if (!message) throw new Error(`no message ${value.$message} was shown by this client`);
    return message;
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item)]));
}

/** @type {Record<string, (request: any) => any>} */
const OPERATIONS = {
  create({ sdk, options, logLevel }) {
    const SDK = require(PACKAGES[sdk]);
    chat = SDK.create(options);
    chat.setLogLevel(logLevel ?? 4);
    for (const name of new Set(Object.values(SDK.EVENT))) {
      chat.on(name, (/** @type {any} */ event) => {
        remember(event.data);
        tell({ kind: 'event', name, data: event.data });
      });
    }
  },
  call({ method, args }) {
    return chat[method](...args.map(resolve));
  },
  async send({ kind, message, options }) {
    const created = chat[`create${kind}Message`](resolve(message));
    remember(created);
    return chat.sendMessage(created, options);
  },
  /** Changes a message as an application does, in its own copy, and asks for that. */
  modify({ message, payload, cloudCustomData }) {
    const shown = resolve({ $message: message });
    Object.assign(shown.payload, payload);
    if (cloudCustomData !== undefined) shown.cloudCustomData = cloudCustomData;
    return chat.modifyMessage(shown);
  },
  cutSocket() {
    socket.cut();
  },
};

process.on('message', async (/** @type {any} */ { id, operation, ...request }) => {
  try {
    const value = await OPERATIONS[operation](request);
    remember(value?.data);
    tell({ kind: 'answer', id, value });
  } catch (error) {
    const { code, message, stack, data } = /** @type {any} */ (error);
    tell({ kind: 'answer', id, error: { code, message, stack, data } });
  }
});
process.on('disconnect', () => process.exit());
// A page survives these, so the test process does too; a test can look at them.
process.on('unhandledRejection', (/** @type {any} */ reason) => {
  tell({ kind: 'rejection', code: reason?.code, message: String(reason?.message ?? reason) });
});
process.on('uncaughtException', (error) => tell({ kind: 'exception', message: error.stack }));
tell({ kind: 'loaded' });
