/** A viewer of a live room that notes when messages arrive, on a thread of its own: nothing that a test does delays its clock. */
import { Worker } from 'node:worker_threads';
import { Journal } from './journal.js';

/**
 * @typedef {{at: number, delay: number, seq: number, time: number, priority: string, text: string}} Arrival
 *   `at`: milliseconds of a steady clock; `delay`: the longest that the server and the machine have let this
 *   connection wait until then, measured all the time by asking and waiting for the reply.
 */

/**
 * @param {{socketUrl: string, app: import('./signatures.js').App}} server
 * @param {{user: string, room: string}} viewer
 * @returns {Promise<{arrivals: Journal<Arrival>, stop: () => Promise<unknown>}>} Once it is in the room.
 */
export async function startStopwatch({ socketUrl, app }, { user, room }) {
  const worker = new Worker(new URL('./stopwatch-thread.js', import.meta.url), {
    workerData: { url: socketUrl, app, user, room },
  });
  worker.unref();
  /** @type {Journal<any>} */
  const heard = new Journal(`stopwatch in ${room}`);
  /** @type {Journal<Arrival>} */
  const arrivals = new Journal(`arrivals in ${room}`);
  worker.on('message', (message) => (message.joined ? heard : arrivals).add(message));
  worker.on('error', (error) => [heard, arrivals].forEach((journal) => journal.end(error)));
  const { joined } = await heard.next(() => true, { what: 'reply to apply_join_group' });
  if (joined.ErrorCode !== 0) throw new Error(`apply_join_group: ${JSON.stringify(joined)}`);
  return { arrivals, stop: () => worker.terminate() };
}

/**
 * The most that arrived within any span of so many milliseconds.
 *
 * @param {Arrival[]} arrivals In their order.
 * @param {number} spanMs
 */
export function mostWithin(arrivals, spanMs) {
  let first = 0;
  let most = 0;
  for (let last = 0; last < arrivals.length; last += 1) {
    while (first < last && arrivals[last].at - arrivals[first].at >= spanMs) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
