import { deflateSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decodeFrame, encodeFrame, FrameReader, type Frame, type Inflate } from '../src/wire/frame.ts';
import { inflate } from '../src/wire/inflate.ts';

const bytes = (value: string) => new TextEncoder().encode(value);
const frame = (seq: number, body: object = {}) => bytes(JSON.stringify({ head: { servcmd: 'a.b', seq }, body }));
const compressed = (stream: Uint8Array) => Uint8Array.from([...bytes('COMP'), ...stream]);

/** A reader and the frames and failures that it has told. */
function reader(how: Inflate | undefined = inflate) {
  const frames: Frame[] = [];
  const failures: unknown[] = [];
  const own = new FrameReader(
    how,
    (received) => frames.push(received),
    (problem) => failures.push(problem),
  );
  return { reader: own, frames, failures };
}

/** Waits for the platform's decompression, which takes real turns of the event loop. */
async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise(setImmediate);
}

test('a request is one JSON object in UTF-8', () => {
  const encoded = encodeFrame({ servcmd: 'openim.sendmsg', seq: 7 }, { Text: 'grüner Tee 茶' });
  expect(new TextDecoder().decode(encoded)).toBe(
    '{"head":{"servcmd":"openim.sendmsg","seq":7},"body":{"Text":"grüner Tee 茶"}}',
  );
});

test('a frame is read with command, number and body', () => {
  expect(decodeFrame(frame(3, { x: 1 }))).toEqual({ command: 'a.b', seq: 3, body: { x: 1 } });
});

test.each(['', '[]', '{"body":{}}', '{"head":7}', '{"head":{"seq"'])('%j is no frame', (data) => {
  expect(() => decodeFrame(bytes(data))).toThrow();
});

test('a body that is no object reads as an empty one', () => {
  expect(decodeFrame(bytes('{"head":{"servcmd":"a.b","seq":1},"body":[1]}')).body).toEqual({});
});

test.each([
  ['zlib', deflateSync],
  ['gzip', gzipSync],
])('a frame compressed with %s is read', async (_name, compress) => {
  const { reader: own, frames } = reader();
  own.push(compressed(compress(frame(5, { words: 'oolong '.repeat(1000) }))));
  await until(() => frames.length > 0);
  expect(frames).toEqual([{ command: 'a.b', seq: 5, body: { words: 'oolong '.repeat(1000) } }]);
});

test('what comes behind a compressed frame is told behind it', async () => {
  const { reader: own, frames } = reader();
  own.push(frame(1));
  own.push(compressed(deflateSync(frame(2))));
  own.push(frame(3));
  own.push(compressed(deflateSync(frame(4))));
  expect(frames.map(({ seq }) => seq)).toEqual([1]);
  await until(() => frames.length === 4);
  expect(frames.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});

test('a broken frame fails the reader once, and nothing is told after it', async () => {
  const { reader: own, frames, failures } = reader();
  own.push(compressed(bytes('no stream at all')));
  own.push(frame(1));
  own.push(bytes('{'));
  await until(() => failures.length > 0);
  own.push(frame(2));
  expect(failures).toHaveLength(1);
  expect(frames).toEqual([]);
});

test('a compressed frame without a decompressor is a failure', async () => {
  const { reader: own, failures } = reader(undefined);
  const other = new FrameReader(
    undefined,
    () => {},
    (problem) => failures.push(problem),
  );
  other.push(compressed(deflateSync(frame(1))));
  own.end();
  await until(() => failures.length > 0);
  expect(String(failures[0])).toContain('no way to decompress');
});

test('a small frame that becomes a huge one is refused', async () => {
  const bomb = deflateSync(Buffer.alloc(100_000));
  await expect(inflate!(bomb, 'deflate', 99_999)).rejects.toThrow('more than 99999 bytes');
  expect(await inflate!(bomb, 'deflate', 100_000)).toHaveLength(100_000);
});

test('a bounded number of frames waits for a decompression', () => {
  const { reader: own, failures } = reader(() => new Promise(() => {}));
  own.push(compressed(bytes('x')));
  for (let count = 0; count < FrameReader.WAITING_MAX; count++) own.push(frame(count));
  expect(failures).toEqual([]);
  own.push(frame(0));
  expect(String(failures[0])).toContain('too fast');
});
