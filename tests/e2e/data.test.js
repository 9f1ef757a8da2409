/** Data on the move: exported from a running server, imported into a new directory; and data of another version. */
import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import {
  cleanUpAfterwards,
  newApp,
  newDirectory,
  run,
  sign,
  startServer,
  storedTexts,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

const COUNT = 30;

/** A server with two users who talked, one profile and a changed setting. */
async function inhabited() {
  const server = await startServer({ apps: [newApp()] });
  const [alice, bob] = [userNamed('alice'), userNamed('bob')];
  await server.restOk('im_open_login_svc/multiaccount_import', {
    AccountList: [{ UserID: alice, Nick: 'Alice' }, { UserID: bob }],
  });
  for (let number = 1; number <= COUNT; number += 1) {
    await server.restOk('openim/sendmsg', {
      From_Account: alice,
      To_Account: bob,
      MsgSeq: number,
      MsgRandom: number,
      MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: `message ${number}` } }],
    });
  }
  await server.set({ 'login.policy': 'multi', 'login.web_instances': 4 });
  const connection = await server.openRaw();
  const { TinyId } = await connection.login(bob);
  return { server, alice, bob, tinyId: TinyId };
}

/** @param {import('./harness/server.js').Server} server @param {{alice: string, bob: string, tinyId: string}} people */
async function assertSame(server, { alice, bob, tinyId }) {
  for (const [owner, peer] of [
    [alice, bob],
    [bob, alice],
  ]) {
    assert.deepEqual(
      await storedTexts(server, owner, peer),
      Array.from({ length: COUNT }, (_, index) => `message ${index + 1}`),
    );
  }
  const { UserProfileItem } = await server.restOk('profile/portrait_get', {
    To_Account: [alice],
    TagList: ['Tag_Profile_IM_Nick'],
  });
  assert.equal(UserProfileItem[0].ProfileItem[0].Value, 'Alice');
  assert.match(await server.ctl('app', 'show', String(server.app.id)), /login\.web_instances\D+4\b/);
  const connection = await server.openRaw();
  assert.equal((await connection.login(bob, sign(server.app, bob))).TinyId, tinyId);
  const { C2CPairUnreadCount } = await connection.ask('openim.getmsg', { Cookie: '', SyncFlag: 0, IsOnlineSync: 0 });
  assert.deepEqual(C2CPairUnreadCount, [{ From_Account: alice, UnreadCount: COUNT }]);
}

describe('export and import', () => {
  for (const state of ['running', 'stopped']) {
    test(`all that a ${state} server holds is in the new directory`, async () => {
      const { server, ...people } = await inhabited();
      if (state === 'stopped') await server.stop();
      const file = join(dirname(server.dir), 'export');
      const exported = await run(['export', '--data', server.dir, '--out', file]);
      assert.deepEqual([exported.code, exported.stderr], [0, '']);
      const dir = await newDirectory();
      const imported = await run(['import', '--data', dir, '--in', file]);
      assert.deepEqual([imported.code, imported.stderr], [0, '']);
      // The app comes with the data: it is not named on the command line.
      const copy = await startServer({ dir, apps: [] });
      copy.apps = server.apps;
      await assertSame(copy, people);
      if (state === 'running') {
        await assertSame(server, people);
        await server.stop();
      }
      await copy.stop();
    });
  }

  test('an import into a directory that is in use, or of a damaged file, is refused', async () => {
    const { server } = await inhabited();
    const file = join(dirname(server.dir), 'export');
    assert.equal((await run(['export', '--data', server.dir, '--out', file])).code, 0);
    await server.stop();
    const onto = await run(['import', '--data', server.dir, '--in', file]);
    assert.notEqual(onto.code, 0);
    assert.equal(onto.stderr.trim().split('\n').length, 1, onto.stderr);

    const bytes = await readFile(file);
    const middle = Math.floor(bytes.length / 2);
    const damaged = Buffer.concat([
      bytes.subarray(0, middle),
      Buffer.from([bytes[middle] ^ 0xff]),
      bytes.subarray(middle + 1),
    ]);
    for (const [what, content] of /** @type {const} */ ([
      ['cut short', bytes.subarray(0, middle)],
      ['changed', damaged],
      ['something else', Buffer.from('tea')],
    ])) {
      await writeFile(file, content);
      const outcome = await run(['import', '--data', await newDirectory(), '--in', file]);
      assert.notEqual(outcome.code, 0, what);
      assert.equal(outcome.stderr.trim().split('\n').length, 1, outcome.stderr);
    }
    await server.start();
    await server.stop();
  });

  test('an export of no data is refused', async () => {
    const dir = await newDirectory();
    await mkdir(dir);
    for (const each of [dir, join(dir, 'missing')]) {
      const outcome = await run(['export', '--data', each]);
      assert.notEqual(outcome.code, 0);
      assert.equal(outcome.stderr.trim().split('\n').length, 1, outcome.stderr);
    }
    assert.deepEqual(await readdir(dir), []);
  });
});

describe('data of another version', () => {
  test('data that a newer version wrote is refused and left alone', async () => {
    const { server, ...people } = await inhabited();
    await server.stop();
    const file = join(server.dir, 'store', 'format');
    const format = await readFile(file, 'utf8');
    await writeFile(file, format.replace(/format \d+/, 'format 999'));
    const outcome = await run(['serve', '--data', server.dir, '--listen', '127.0.0.1:0']);
    assert.notEqual(outcome.code, 0);
    assert.equal(outcome.stderr.trim().split('\n').length, 1, outcome.stderr);
    assert.match(outcome.stderr, /999/);
    await writeFile(file, format);
    await server.start();
    await assertSame(server, people);
    await server.stop();
  });
});
