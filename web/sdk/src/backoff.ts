/** How long to wait before the next try to connect. */

const FIRST_MS = 500;
const MAX_MS = 30_000;

/**
 * A delay in milliseconds for the given number of tries since the last success. Random over the whole range, so that the
 * clients of a server that restarts do not come back all at once; doubling, so that they leave a broken one in peace.
 *
 * @param random A number from 0 to below 1.
 */
export function backoffMs(tries: number, random: number): number {
  const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(tries, 16));
  return Math.round(random * ceiling);
}
