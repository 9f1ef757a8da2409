/** An application's own server, which webhooks are sent to. */
import { createServer } from 'node:http';
import { Journal } from './journal.js';

/** @typedef {{command: string, query: URLSearchParams, headers: import('node:http').IncomingHttpHeaders, body: any, event?: string, path: string}} Call */
/** @typedef {object | string | number | 'hang' | 'reset'} Answer An object is sent as JSON, other text as it is, a number as HTTP status. */

/** @type {Set<Endpoint>} */
const running = new Set();

export const OK = { ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0 };

export class Endpoint {
  constructor() {
    /** @type {Journal<Call>} Every call that was answered, or not. */
    this.calls = new Journal('calls of the endpoint');
    /** What it answers. @type {(call: Call) => Answer | Promise<Answer>} */
    this.answer = () => OK;
    this.port = 0;
    /** Where statuses of 300 and more lead. */
    this.redirect = '/';
  }

  get url() {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** Takes calls, on the port that it had before. */
  async up() {
    const server = createServer((request, response) => this.#serve(request, response));
    this.server = server;
    await new Promise((resolve) => server.listen(this.port, '127.0.0.1', () => resolve(undefined)));
    this.port = /** @type {import('node:net').AddressInfo} */ (server.address()).port;
    running.add(this);
    return this;
  }

  /** Is not there any more. */
  async down() {
    running.delete(this);
    const closed = new Promise((resolve) => this.server?.close(resolve));
    this.server?.closeAllConnections();
    await closed;
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async #serve(request, response) {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const url = new URL(request.url ?? '/', this.url);
    const call = {
      command: url.searchParams.get('CallbackCommand') ?? '',
      query: url.searchParams,
      headers: request.headers,
      body: JSON.parse(text),
      event: /** @type {string | undefined} */ (request.headers['x-teahouse-event-id']),
      path: url.pathname,
    };
    this.calls.add(call);
    const answer = await this.answer(call);
    if (answer === 'hang') return;
    if (answer === 'reset') {
      request.socket.resetAndDestroy();
    } else if (typeof answer === 'number') {
      response.writeHead(answer, { location: this.redirect }).end();
    } else {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
    }
  }

  /**
   * The next call of a command that no earlier one got.
   *
   * @param {string} command
   * @param {(body: any) => boolean} [predicate]
   */
  next(command, predicate = () => true) {
    return this.calls.next((call) => call.command === command && predicate(call.body), { what: `call of ${command}` });
  }

  /** All calls of a command until now. @param {string} command */
  of(command) {
    return this.calls.entries.filter((call) => call.command === command);
  }

  /** Answers calls of a command so, all others with OK. @param {string} command @param {Endpoint['answer']} answer */
  on(command, answer) {
    this.answer = (call) => (call.command === command ? answer(call) : OK);
  }
}

/** An endpoint that takes calls. */
export const startEndpoint = () => new Endpoint().up();

/** Ends all endpoints that are still there. */
export async function stopEndpoints() {
  await Promise.all([...running].map((endpoint) => endpoint.down()));
}
