import { expect, test } from 'vitest';
import { Harness } from './harness.ts';

const HEARTBEAT = 'heartbeat.alive';
const HELLO = 'im_open_status.wshello';

const count = (harness: Harness, command: string) =>
  harness.socket.commands().filter((sent) => sent === command).length;

test('after 10 s of silence a sign of life is asked for, and again 10 s after the answer', async () => {
  const harness = new Harness();
  await harness.login();
  // Without hellos, whose answers are signs of life too.
  const quiet = new Harness();
  quiet.answers['im_open_status.wslogin'] = () => ({ A2Key: 'token', TinyId: '1' });
  await quiet.login();
  await quiet.clock.advance(9_999);
  expect(count(quiet, HEARTBEAT)).toBe(0);
  await quiet.clock.advance(1);
  expect(count(quiet, HEARTBEAT)).toBe(1);
  await quiet.clock.advance(3_000 + 10_000);
  expect(count(quiet, HEARTBEAT)).toBe(2);
  expect(quiet.sockets).toHaveLength(1);
});

test('any frame puts the question off', async () => {
  const harness = new Harness();
  await harness.login();
  for (let second = 0; second < 30; second += 5) {
    await harness.clock.advance(5_000);
    harness.socket.push();
  }
  expect(count(harness, HEARTBEAT)).toBe(0);
});

test('without an answer within 3 s the socket is given up', async () => {
  const harness = new Harness();
  await harness.login();
  harness.answers[HEARTBEAT] = () => undefined;
  const silent = harness.socket;
  await harness.clock.advance(12_999);
  expect(silent.closedWith).toBeUndefined();
  await harness.clock.advance(1);
  expect(silent.closedWith).toBe(4001);
  await harness.clock.advance(500);
  expect(harness.sockets).toHaveLength(2);
  expect(harness.client.state).toBe('online');
});

test('any frame answers: a slow line has it behind many others', async () => {
  const harness = new Harness();
  await harness.login();
  harness.answers[HEARTBEAT] = () => undefined;
  await harness.clock.advance(12_000);
  harness.socket.push();
  await harness.clock.advance(1_000);
  expect(harness.sockets).toHaveLength(1);
  expect(harness.socket.closedWith).toBeUndefined();
});

test('hellos keep the pace of the server, and end with the connection', async () => {
  const harness = new Harness();
  await harness.login();
  await harness.clock.advance(19_999);
  expect(count(harness, HELLO)).toBe(0);
  await harness.clock.advance(1);
  expect(count(harness, HELLO)).toBe(1);
  await harness.clock.advance(20_000);
  expect(count(harness, HELLO)).toBe(2);
  harness.opens = false;
  harness.socket.lose();
  const known = harness.socket.commands().length;
  await harness.clock.advance(5_000);
  harness.opens = true;
  await harness.clock.advance(20_000);
  expect(harness.sockets[0]?.commands()).toHaveLength(known);
});

test('a hello can end the session', async () => {
  const harness = new Harness();
  await harness.login();
  harness.answers[HELLO] = () => ({ ErrorCode: 1002, KickType: 2, NewInstInfo: { Platform: 'Web', InstId: 9 } });
  await harness.clock.advance(20_000);
  expect(harness.events.kicked).toEqual([{ reason: 'otherLogin' }]);
  expect(harness.socket.closedWith).toBe(4000);
});
