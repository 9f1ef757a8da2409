/** Everything a test file needs. */
import { after } from 'node:test';
import { stopClients } from './client.js';
import { stopEndpoints } from './endpoint.js';
import { stopProxies } from './proxy.js';
import { stopServers } from './server.js';

export { DEADLINE_MS, FRIENDSHIP_SDKS, SDKS, SdkError, conversationID } from './client.js';
export { CLIENT_ELEMENTS, REST_ELEMENTS } from './elements.js';
export { OK, startEndpoint } from './endpoint.js';
export * from './groups.js';
export { storedTexts } from './history.js';
export { startProxy } from './proxy.js';
export { mostWithin, startStopwatch } from './stopwatch.js';
export { ADMINISTRATOR, newApp, newDirectory, run, startServer } from './server.js';
export { decode, nowSeconds, sign, signAt, tamper } from './signatures.js';

/** Ends clients, proxies and servers when the test file is done. Call once, at the top of a file. */
export function cleanUpAfterwards() {
  after(async () => {
    await stopClients();
    await stopProxies();
    await stopServers();
    await stopEndpoints();
  });
}

let users = 0;

/** A user name that no other test uses. @param {string} name */
export function userNamed(name) {
  users += 1;
  return `${name}-${process.pid}-${users}`;
}

/**
 * Fails with a sentence when the promise does not reject with one of these codes.
 *
 * @param {Promise<any>} promise
 * @param {...number} codes
 * @returns {Promise<any>} The error.
 */
export async function refusedWith(promise, ...codes) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    if (codes.includes(/** @type {any} */ (error).code)) return error;
    throw error;
  }
  throw new Error(`expected a refusal with ${codes.join(' or ')}, got ${JSON.stringify(value)}`);
}
