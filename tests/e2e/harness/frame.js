/** How frames look on the wire. */
import { unzipSync } from 'node:zlib';

/** A binary frame that starts with these four bytes holds a zlib or gzip stream behind them. */
const COMPRESSED = Buffer.from('COMP');

/**
 * @param {Buffer} data
 * @returns {{compressed: boolean, frame: {head: any, body: any}}}
 */
export function decodeFrame(data) {
  const compressed = data.subarray(0, COMPRESSED.length).equals(COMPRESSED);
  const text = compressed ? unzipSync(data.subarray(COMPRESSED.length)) : data;
  return { compressed, frame: JSON.parse(text.toString('utf8')) };
}
