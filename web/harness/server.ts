/** A real server for tests: the binary that `TEAHOUSE_BIN` names, on a free port and a directory of its own. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Path of the binary; without one the tests that need it are left out. */
export const BINARY = process.env.TEAHOUSE_BIN;

export class Server {
  readonly #app = { id: 1_400_000_000, secret: randomBytes(32).toString('hex') };
  readonly #directory = mkdtempSync(join(tmpdir(), 'teahouse-web-'));
  readonly #isDev: boolean;
  #process: ChildProcess | undefined;
  #listen = '127.0.0.1:0';

  private constructor(isDev: boolean) {
    this.#isDev = isDev;
  }

  /** `dev`: as `serve --dev` starts it, which makes an app of its own. */
  static async start({ dev = false } = {}): Promise<Server> {
    const server = new Server(dev);
    await server.start();
    return server;
  }

  /** `host:port`. */
  get address(): string {
    return this.#listen;
  }

  get sdkAppId(): number {
    return this.#app.id;
  }

  async start(): Promise<void> {
    const app = this.#isDev ? ['--dev'] : ['--app', `${this.#app.id}:${this.#app.secret}`];
    const data = join(this.#directory, 'data');
    const child = spawn(BINARY!, ['serve', '--data', data, '--listen', this.#listen, ...app], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    for await (const line of createInterface({ input: child.stdout })) {
      const ready = /^ready http:\/\/(.*)$/.exec(line);
      if (!ready?.[1]) continue;
      this.#listen = ready[1].replace(/\/$/, '');
      child.stdout.resume();
      return;
    }
    throw new Error('the server ended before it was ready');
  }

  /** Ends it as a crash would; `start` starts it again on the same address. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Ends it and removes what it stored. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** A UserSig, by the binary's own command. */
  sign(userId: string): string {
    const { id, secret } = this.#app;
    const args = ['usersig', '--sdkappid', String(id), '--key', secret, '--user', userId];
    return execFileSync(BINARY!, args, { encoding: 'utf8' }).trim();
  }
}
