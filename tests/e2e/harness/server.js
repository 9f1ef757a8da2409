/** The server under test: the built binary in a process of its own, on a free port and a directory of its own. */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEADLINE_MS, openClient } from './client.js';
import { Journal } from './journal.js';
import { RawConnection } from './raw.js';
import { nowSeconds, sign } from './signatures.js';

/** @typedef {import('./signatures.js').App} App */
/** @typedef {{code: number | null, signal: string | null, stdout: string, stderr: string}} Outcome */

/** The account that `serve --app` makes administrator. */
export const ADMINISTRATOR = 'administrator';

/** The binary: `TEAHOUSE_BIN`, else the release or the debug build, whichever is newer. */
export function binary() {
  const candidates = ['release', 'debug'].map((profile) =>
    fileURLToPath(new URL(`../../../target/${profile}/teahouse`, import.meta.url)),
  );
  const builtAt = (/** @type {string} */ path) => statSync(path).mtimeMs;
  const [newest] = candidates.filter(existsSync).sort((a, b) => builtAt(b) - builtAt(a));
  const found = process.env.TEAHOUSE_BIN ?? newest;
  if (!found) throw new Error(`no teahouse binary: set TEAHOUSE_BIN or build one of ${candidates.join(', ')}`);
  return found;
}

/** An application of its own for each test file. @returns {App} */
export function newApp(id = 1_400_000_000 + randomBytes(3).readUIntBE(0, 3)) {
  return { id, secret: randomBytes(32).toString('hex') };
}

/** A directory that does not exist yet and is removed by `removeDirectories`. */
export async function newDirectory() {
  const parent = await mkdtemp(join(tmpdir(), 'teahouse-e2e-'));
  directories.push(parent);
  return join(parent, 'data');
}

/** @type {string[]} */
const directories = [];
/** @type {Set<Server>} */
const running = new Set();

/**
 * Runs the binary to its end.
 *
 * @param {string[]} args
 * @param {{input?: Buffer | string, cwd?: string}} [options]
 * @returns {Promise<Outcome>}
 */
export function run(args, { input, cwd } = {}) {
  return new Promise((resolve) => {
    const child = execFile(
      binary(),
      args,
      { cwd, timeout: DEADLINE_MS, maxBuffer: 64 * 1024 * 1024 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

export class Server {
  /** @param {{dir: string, apps: App[], listen: string, args: string[]}} options */
  constructor({ dir, apps, listen, args }) {
    this.dir = dir;
    this.apps = apps;
    this.args = args;
    this.listen = listen;
    /** `host:port` once it has started. */
    this.address = '';
    this.stderr = '';
    /** @type {Set<import('./client.js').Client>} */
    this.clients = new Set();
    /** True while the test itself ends the process. */
    this.ending = false;
    /** @type {Journal<string>} */
    this.stdout = new Journal('standard output of the server');
  }

  /** The first application. */
  get app() {
    return this.apps[0];
  }

  get url() {
    return `http://${this.address}`;
  }

  get socketUrl() {
    return `ws://${this.address}`;
  }

  /** Starts the process and waits until it says that it accepts connections. */
  async start() {
    const args = ['serve', '--data', this.dir, '--listen', this.listen];
    for (const { id, secret } of this.apps) args.push('--app', `${id}:${secret}`);
    const child = spawn(binary(), [...args, ...this.args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process = child;
    this.stdout = new Journal('standard output of the server');
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.stdout.add(line);
    });
    child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        running.delete(this);
        const end = `the server ended with ${signal ?? code}: ${this.stderr.slice(-2000)}`;
        this.stdout.end(new Error(end));
        if (!this.ending) for (const client of this.clients) client.abandon(end);
        this.ending = false;
        resolve({ code, signal });
      });
    });
    running.add(this);
    const ready = await this.stdout.next((line) => line.startsWith('ready http://'), { what: 'line "ready http://…"' });
    this.address = ready.slice('ready http://'.length).replace(/\/$/, '');
    this.listen = this.address;
    return this;
  }

  /** Kills the process as a crash or the kernel would. */
  async kill9() {
    this.ending = true;
    this.process?.kill('SIGKILL');
    await this.exited;
  }

  /** Asks the process to end and returns how it did. @returns {Promise<{code: number | null, signal: string | null}>} */
  async stop() {
    this.ending = true;
    this.process?.kill('SIGTERM');
    return /** @type {any} */ (await this.exited);
  }

  /** Starts it again on the same address and directory. */
  async restart() {
    if (running.has(this)) await this.stop();
    return this.start();
  }

  /** `teahouse ctl` for this server; fails the test when it fails. @param {...string} args */
  async ctl(...args) {
    const outcome = await this.tryCtl(...args);
    if (outcome.code !== 0) throw new Error(`ctl ${args.join(' ')}: exit ${outcome.code}: ${outcome.stderr}`);
    return outcome.stdout;
  }

  /** @param {...string} args */
  tryCtl(...args) {
    return run(['ctl', '--data', this.dir, ...args]);
  }

  /** Changes settings of an application. @param {Record<string, string | number>} settings @param {App} [app] */
  set(settings, app = this.app) {
    const pairs = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    return this.ctl('app', 'set', String(app.id), ...pairs);
  }

  /**
   * Calls the REST API as the administrator.
   *
   * @param {string} operation `service/command`
   * @param {object} [body]
   * @param {{app?: App, identifier?: string, sig?: string}} [caller]
   * @returns {Promise<any>} The answer's JSON, whatever its `ErrorCode`.
   */
  async rest(operation, body = {}, { app = this.app, identifier = ADMINISTRATOR, sig = sign(app, identifier) } = {}) {
    const query = new URLSearchParams({
      sdkappid: String(app.id),
      identifier,
      usersig: sig,
      random: String(randomBytes(4).readUInt32BE()),
      contenttype: 'json',
    });
    const answer = await this.post(`/v4/${operation}?${query}`, JSON.stringify(body));
    if (answer.status !== 200) throw new Error(`${operation}: HTTP status ${answer.status}`);
    return answer.json();
  }

  /**
   * Like `rest`, but an answer with an error fails the test. "Not in time" (60008) is asked again, as a backend would: on a
   * busy machine a write may wait long for the disk, and all commands used here may be repeated.
   *
   * @param {string} operation
   * @param {object} [body]
   * @param {{app?: App}} [options]
   */
  async restOk(operation, body, options) {
    const deadline = Date.now() + DEADLINE_MS;
    let answer;
    do answer = await this.rest(operation, body, options);
    while (answer.ErrorCode === 60008 && Date.now() < deadline);
    if (answer.ErrorCode !== 0 || answer.ActionStatus !== 'OK') {
      throw new Error(`${operation}: ${JSON.stringify(answer)}`);
    }
    return answer;
  }

  /** Waits until the server stamps messages with a later second than `time`. @param {number} time */
  async past(time) {
    const pacemaker = 'pacemaker';
    await this.restOk('im_open_login_svc/account_import', { UserID: pacemaker });
    for (let random = 1; ; random += 1) {
      const { MsgTime } = await this.restOk('openim/sendmsg', {
        To_Account: pacemaker,
        OnlineOnlyFlag: 1,
        MsgRandom: random,
        MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'tick' } }],
      });
      if (MsgTime > time) return;
    }
  }

  /**
   * Waits until a connection that was just opened is old enough: the packages come back at once from one that lived for a
   * second, and else only with their next request.
   */
  async connectionsAged() {
    await this.past(nowSeconds() + 1);
  }

  /** @param {string} path @param {string} body */
  post(path, body) {
    return fetch(`${this.url}${path}`, { method: 'POST', body, signal: AbortSignal.timeout(DEADLINE_MS) });
  }

  /**
   * A client process that has not logged in.
   *
   * @param {{sdk: import('./client.js').Sdk, user?: string, app?: App, through?: {url: string}, prefix?: string, createOptions?: object}} options
   *   `through`: a proxy; `prefix`: a path before `/binfo`.
   */
  async openClient({ sdk, user = 'nobody', app = this.app, through, prefix = '', createOptions }) {
    if (!running.has(this)) throw new Error(`the server is not running: ${this.stderr.slice(-2000)}`);
    const url = (through?.url ?? this.socketUrl) + prefix;
    const client = await openClient({ sdk, url, sdkAppId: app.id, user, createOptions });
    this.clients.add(client);
    return client;
  }

  /**
   * A client that is logged in and has done what it does after a login.
   *
   * @param {Parameters<Server['openClient']>[0] & {user: string}} options
   */
  async startClient(options) {
    const { user, app = this.app } = options;
    const client = await this.openClient(options);
    await client.login({ userID: user, userSig: sign(app, user) });
    return client.settled();
  }

  /**
   * A bare WebSocket that speaks frames, for what the packages do not show.
   *
   * @param {{face?: 'binfo' | 'info', app?: App, query?: Record<string, string>, prefix?: string}} [options]
   */
  openRaw({ face = 'binfo', app = this.app, query, prefix = '' } = {}) {
    return RawConnection.open({ url: this.socketUrl + prefix, face, app, query });
  }
}

/**
 * @param {{dir?: string, apps?: App[], listen?: string, args?: string[]}} [options]
 * @returns {Promise<Server>} A server that accepts connections.
 */
export async function startServer({ dir, apps = [newApp()], listen = '127.0.0.1:0', args = [] } = {}) {
  return new Server({ dir: dir ?? (await newDirectory()), apps, listen, args }).start();
}

/** Ends all servers that are still running and removes all directories. For `after` hooks, after `stopClients`. */
export async function stopServers() {
  await Promise.all([...running].map((server) => server.kill9()));
  await Promise.all(directories.splice(0).map((directory) => rm(directory, { recursive: true, force: true })));
}
