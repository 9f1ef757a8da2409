/** Connections that live: heartbeats over idle time. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SDKS, cleanUpAfterwards, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** The packages send one after 10 s without any frame. */
const IDLE_BEATS = 2;
const IDLE_DEADLINE_MS = 120_000;

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
});

describe('idle connections', { concurrency: true }, () => {
  for (const sdk of SDKS) {
    test(`${sdk}: heartbeats and hellos keep one connection alive, and it still delivers`, async () => {
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      const isBeat = (/** @type {any} */ { direction, frame }) =>
        direction === 'in' && frame.head.servcmd === 'heartbeat.alive' && frame.body.ErrorCode === 0;
      const already = bob.frames.entries.filter(isBeat).length;
      assert.ok(already >= 1, 'the first one is answered before the login');
      await bob.frames.atLeast(already + IDLE_BEATS, isBeat, { deadlineMs: IDLE_DEADLINE_MS, what: 'heartbeats' });
      await bob.frames.atLeast(
        1,
        ({ direction, frame }) =>
          direction === 'in' && frame.head.servcmd === 'im_open_status.wshello' && frame.body.ErrorCode === 0,
        { deadlineMs: IDLE_DEADLINE_MS, what: 'answered hello' },
      );
      assert.equal(bob.frames.entries.filter(({ direction }) => direction === 'open').length, 1, 'it had to reconnect');
      await alice.sendText(bob.user, 'awake?');
      await bob.message('awake?');
    });
  }

  test('a heartbeat is answered before any login, and with a session that has ended', async () => {
    const connection = await server.openRaw();
    assert.equal((await connection.ask('heartbeat.alive')).ErrorCode, 0);
    await connection.login(userNamed('alice'));
    assert.equal(
      (await connection.ask('im_open_status.wslogout', { wslogout_type: 0, is_web_uniapp: 0 })).ErrorCode,
      0,
    );
    assert.equal((await connection.ask('heartbeat.alive')).ErrorCode, 0);
  });
});
