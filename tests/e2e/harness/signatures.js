/** UserSigs: good ones from the vendor's own generator, bad ones for the refusals. */
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { deflateSync, inflateSync } from 'node:zlib';

const require = createRequire(import.meta.url);
// @ts-ignore: the package has no types.
const { Api } = require('tls-sig-api-v2');

/** Long enough for any test run. */
const LIFETIME_S = 86_400;

/** @typedef {{id: number, secret: string}} App */

/**
 * @param {App} app
 * @param {string} user
 * @param {number} [lifetimeS]
 * @returns {string}
 */
export function sign(app, user, lifetimeS = LIFETIME_S) {
  return new Api(app.id, app.secret).genUserSig(user, lifetimeS);
}

/**
 * A UserSig with a valid signature over any values, for what the generator cannot make: an issue time of choice.
 *
 * @param {App} app
 * @param {string} user
 * @param {{issuedAt: number, lifetimeS?: number}} times
 */
export function signAt(app, user, { issuedAt, lifetimeS = LIFETIME_S }) {
  const content = `TLS.identifier:${user}\nTLS.sdkappid:${app.id}\nTLS.time:${issuedAt}\nTLS.expire:${lifetimeS}\n`;
  return encode({
    'TLS.ver': '2.0',
    'TLS.identifier': user,
    'TLS.sdkappid': app.id,
    'TLS.time': issuedAt,
    'TLS.expire': lifetimeS,
    'TLS.sig': createHmac('sha256', app.secret).update(content).digest('base64'),
  });
}

/** Changes the signed content but keeps its old signature. @param {string} sig @param {object} changes */
export function tamper(sig, changes) {
  return encode({ ...decode(sig), ...changes });
}

/** @param {string} sig @returns {Record<string, any>} */
export function decode(sig) {
  const standard = sig.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '=');
  return JSON.parse(inflateSync(Buffer.from(standard, 'base64')).toString('utf8'));
}

/** @param {object} ticket */
function encode(ticket) {
  return deflateSync(JSON.stringify(ticket))
    .toString('base64')
    .replaceAll('+', '*')
    .replaceAll('/', '-')
    .replaceAll('=', '_');
}

/** @returns {number} */
export function nowSeconds() {
  return Math.floor(Date.now() / 1000);
}
