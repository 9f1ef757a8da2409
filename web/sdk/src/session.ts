/**
 * Who is logged in: the login with a signature, the one with the session token on every new socket, the hellos in between,
 * and the end. What is to be done after a login is the owner's business (`SessionOwner.ready`).
 */
import type { Connection } from './connection.ts';
import type { Environment, Timer } from './environment.ts';
import { ChatError, LocalCode } from './errors.ts';
import { readKick, type KickReason } from './notices.ts';
import { readNumber, readText, type Fields } from './wire/fields.ts';

/**
 * `offline`: nobody is logged in. `connecting`: somebody is, but the connection or what was missed on it is still being
 * fetched; what is sent now waits. `online`: all is there, and news arrive by themselves.
 */
export type ConnectionState = 'offline' | 'connecting' | 'online';

export interface SessionOwner {
  stateChanged(state: ConnectionState): void;
  /** Logged in on a new socket: catch up. */
  ready(): Promise<void>;
  kicked(reason: KickReason): void;
  /** The session is over, whatever the reason: forget all that belongs to it. */
  ended(): void;
}

/** The user who is logged in. */
export interface Self {
  readonly userId: string;
  readonly tinyId: string;
}

type Credentials =
  { readonly identifier: string; readonly usersig: string } | { readonly a2: string; readonly tinyid: string };

/** A login that waits for its end. */
interface Login {
  resolve(): void;
  reject(error: ChatError): void;
  readonly timer: Timer;
}

const LOGIN_COMMAND = 'im_open_status.wslogin';
/** One try; there may be several before the login as a whole is given up. */
const TRY_TIMEOUT_MS = 10_000;
const LOGOUT_TIMEOUT_MS = 3_000;
const CODE_KICKED = 1002;
/** The token or signature is not valid any more. */
const CODES_EXPIRED: readonly number[] = [20002, 70001];

export class Session {
  readonly #environment: Environment;
  readonly #connection: Connection;
  readonly #owner: SessionOwner;
  readonly #loginTimeoutMs: number;
  #state: ConnectionState = 'offline';
  #userId = '';
  #credentials: Credentials | undefined;
  #instId = 0;
  #self: Self | undefined;
  #login: Login | undefined;
  #helloTimer: Timer;
  #isAuthenticating = false;
  /** Of logging in on a socket. What an older one still waited for must not touch the present one. */
  #attempt = 0;
  /** Server's clock minus ours. */
  #clockOffsetMs = 0;

  constructor(environment: Environment, connection: Connection, owner: SessionOwner, loginTimeoutMs: number) {
    this.#environment = environment;
    this.#connection = connection;
    this.#owner = owner;
    this.#loginTimeoutMs = loginTimeoutMs;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** @throws {ChatError} `NotLoggedIn` */
  get self(): Self {
    if (!this.#self) throw new ChatError(LocalCode.NotLoggedIn, 'not logged in');
    return this.#self;
  }

  get isLoggedIn(): boolean {
    return this.#self !== undefined;
  }

  /** What every frame says about its sender. */
  head(): Fields {
    return { ...(this.#credentials ?? { identifier: '', usersig: '' }), status_instid: this.#instId };
  }

  /** Unix seconds by the server's clock. */
  serverSeconds(): number {
    return Math.floor((this.#environment.now() + this.#clockOffsetMs) / 1000);
  }

  login(userId: string, userSig: string): Promise<void> {
    if (this.#credentials) {
      return Promise.reject(new ChatError(LocalCode.AlreadyLoggedIn, `${this.#userId} is logged in`));
    }
    this.#userId = userId;
    this.#credentials = { identifier: userId, usersig: userSig };
    return new Promise((resolve, reject) => {
      const late = () => this.#end(new ChatError(LocalCode.Timeout, 'the login took too long', LOGIN_COMMAND));
      this.#login = { resolve, reject, timer: this.#environment.setTimer(late, this.#loginTimeoutMs) };
      this.#setState('connecting');
      try {
        this.#connection.start();
      } catch (problem) {
        this.#end(new ChatError(LocalCode.BadArgument, `no socket: ${String(problem)}`));
      }
    });
  }

  async logout(): Promise<void> {
    if (this.#self && this.#connection.isOpen) {
      const farewell = { wslogout_type: 0, is_web_uniapp: 0 };
      const options = { repeats: false, timeoutMs: LOGOUT_TIMEOUT_MS };
      const self = this.#self;
      // Whatever the answer: the server forgets a silent client by itself.
      await this.#connection.request('im_open_status.wslogout', farewell, options).catch(() => {});
      if (this.#self !== self) return;
    }
    this.#end(new ChatError(LocalCode.NotLoggedIn, 'logged out', LOGIN_COMMAND));
  }

  /** Logs in on the socket that is open, with what there is. */
  async authenticate(): Promise<void> {
    if (this.#isAuthenticating) return;
    this.#isAuthenticating = true;
    const attempt = ++this.#attempt;
    try {
      const body = { State: 'Online', is_web_uniapp: 0, InstType: 0, CustomInfo: '' };
      const options = { repeats: false, timeoutMs: TRY_TIMEOUT_MS };
      const answer = await this.#connection.request(LOGIN_COMMAND, body, options);
      if (attempt !== this.#attempt) return;
      this.#adopt(answer);
      this.#connection.release();
      await this.#owner.ready();
      if (attempt !== this.#attempt) return;
      this.#connection.settled();
      this.#setState('online');
      this.#settleLogin()?.resolve();
    } catch (problem) {
      if (attempt === this.#attempt) this.#authenticationFailed(problem);
    } finally {
      if (attempt === this.#attempt) this.#isAuthenticating = false;
    }
  }

  /** The socket is gone. */
  lost(): void {
    this.#abandonAttempt();
    this.#environment.clearTimer(this.#helloTimer);
    if (this.#credentials) this.#setState('connecting');
  }

  /** Looks at an error answer: some end the session, whatever was asked. */
  refused(code: number, body: Fields): void {
    if (!this.#self) return;
    if (code === CODE_KICKED) this.kick(readKick(readNumber(body, 'KickType')));
    if (CODES_EXPIRED.includes(code)) this.kick('expired');
  }

  kick(reason: KickReason): void {
    if (!this.#self) return;
    this.#end(new ChatError(LocalCode.NotLoggedIn, `kicked out: ${reason}`, LOGIN_COMMAND));
    this.#owner.kicked(reason);
  }

  #adopt(answer: Fields): void {
    const a2 = readText(answer, 'A2Key');
    const tinyId = readText(answer, 'TinyId');
    if (!a2 || !tinyId) throw new ChatError(LocalCode.BadAnswer, 'a login without A2Key or TinyId', LOGIN_COMMAND);
    this.#credentials = { a2, tinyid: tinyId };
    this.#instId = readNumber(answer, 'InstId');
    this.#self = { userId: this.#userId, tinyId };
    const seconds = readNumber(answer, 'TimeStamp');
    if (seconds > 0) this.#clockOffsetMs = seconds * 1000 - this.#environment.now();
    this.#greet(readNumber(answer, 'HelloInterval') * 1000);
  }

  /** Says hello at the server's pace, for as long as this socket lives. */
  #greet(intervalMs: number): void {
    this.#environment.clearTimer(this.#helloTimer);
    if (intervalMs <= 0) return;
    this.#helloTimer = this.#environment.setTimer(() => {
      this.#connection.request('im_open_status.wshello', { is_web_uniapp: 0 }, { repeats: false }).catch(() => {});
      this.#greet(intervalMs);
    }, intervalMs);
  }

  #authenticationFailed(problem: unknown): void {
    const isFinal = problem instanceof ChatError && problem.code !== LocalCode.Timeout;
    if (this.#login && isFinal) return this.#end(problem);
    this.#connection.restart();
    // What is no ChatError is a fault of this package: not to be swallowed.
    if (!(problem instanceof ChatError)) throw problem;
  }

  #abandonAttempt(): void {
    this.#attempt += 1;
    this.#isAuthenticating = false;
  }

  /** Takes the waiting login out, if there is one. */
  #settleLogin(): Login | undefined {
    const login = this.#login;
    if (login) this.#environment.clearTimer(login.timer);
    this.#login = undefined;
    return login;
  }

  #end(error: ChatError): void {
    this.#abandonAttempt();
    const login = this.#settleLogin();
    this.#environment.clearTimer(this.#helloTimer);
    this.#credentials = undefined;
    this.#self = undefined;
    this.#instId = 0;
    this.#userId = '';
    this.#connection.stop();
    this.#owner.ended();
    this.#setState('offline');
    login?.reject(error);
  }

  #setState(state: ConnectionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#owner.stateChanged(state);
  }
}
