/** Decompression by the platform. */
import type { Inflate } from './frame.ts';

/** Undefined where the platform has no `DecompressionStream`: then the server is not told to compress. */
export const inflate: Inflate | undefined = typeof DecompressionStream === 'undefined' ? undefined : inflateStream;

async function inflateStream(data: Uint8Array, format: 'deflate' | 'gzip', bytesMax: number): Promise<Uint8Array> {
  const compressed = new Blob([data as Uint8Array<ArrayBuffer>]).stream();
  const reader = compressed.pipeThrough(new DecompressionStream(format)).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    // A small frame can hold a huge one: stop before it is in memory.
    if (length > bytesMax) {
      await reader.cancel();
      throw new Error(`a frame of more than ${bytesMax} bytes`);
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
