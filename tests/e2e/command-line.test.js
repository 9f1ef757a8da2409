/** The command line: what it prints, what it refuses and how. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import {
  ADMINISTRATOR,
  cleanUpAfterwards,
  decode,
  newApp,
  newDirectory,
  nowSeconds,
  run,
  startServer,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** A refusal is one sentence on standard error and a status that is not 0. @param {import('./harness/server.js').Outcome} outcome @param {RegExp} [about] */
function assertRefused(outcome, about = /./) {
  assert.equal(outcome.signal, null);
  assert.notEqual(outcome.code, 0, `it was accepted: ${outcome.stdout}`);
  const lines = outcome.stderr.trim().split('\n');
  assert.equal(lines.length, 1, `expected one sentence on standard error, got:\n${outcome.stderr}`);
  assert.match(lines[0], about);
  assert.doesNotMatch(lines[0], /panicked|unwrap|Error \{|Os \{/);
}

describe('teahouse usersig', () => {
  const app = newApp();

  test('prints a signature that the server accepts', async () => {
    const server = await startServer({ apps: [app] });
    for (const expire of [[], ['--expire', '600']]) {
      const { code, stdout } = await run([
        'usersig',
        '--sdkappid',
        String(app.id),
        '--key',
        app.secret,
        '--user',
        ADMINISTRATOR,
        ...expire,
      ]);
      assert.equal(code, 0);
      const sig = stdout.trim();
      assert.equal(stdout, `${sig}\n`, 'nothing but the signature');
      const answer = await server.rest('im_open_login_svc/account_check', { CheckItem: [{ UserID: 'x' }] }, { sig });
      assert.equal(answer.ErrorCode, 0, answer.ErrorInfo);
      const ticket = decode(sig);
      assert.equal(ticket['TLS.identifier'], ADMINISTRATOR);
      assert.equal(ticket['TLS.sdkappid'], app.id);
      assert.ok(Math.abs(ticket['TLS.time'] - nowSeconds()) <= 60);
      if (expire.length > 0) assert.equal(ticket['TLS.expire'], 600);
    }
    await server.stop();
  });

  for (const missing of ['--sdkappid', '--key', '--user']) {
    test(`${missing} is needed`, async () => {
      const all = { '--sdkappid': String(app.id), '--key': app.secret, '--user': 'alice' };
      const args = Object.entries(all)
        .filter(([name]) => name !== missing)
        .flat();
      assertRefused(await run(['usersig', ...args]), new RegExp(missing));
    });
  }
});

describe('teahouse serve', () => {
  /** @type {[string, (dir: string) => string[], RegExp][]} */
  const badFlags = [
    [
      'an unknown flag',
      (dir) => ['serve', '--data', dir, '--listen', '127.0.0.1:0', '--no-such-flag'],
      /--no-such-flag/,
    ],
    ['an address that is none', (dir) => ['serve', '--data', dir, '--listen', 'nonsense'], /nonsense/],
    [
      'an app without a secret',
      (dir) => ['serve', '--data', dir, '--listen', '127.0.0.1:0', '--app', '1400000000'],
      /--app|1400000000/,
    ],
    [
      'an app whose id is no number',
      (dir) => ['serve', '--data', dir, '--listen', '127.0.0.1:0', '--app', 'x:secret'],
      /x/,
    ],
    [
      'a configuration file that is not there',
      (dir) => ['serve', '--data', dir, '--listen', '127.0.0.1:0', '--config', '/no/such/file'],
      /\/no\/such\/file/,
    ],
    ['an unknown subcommand', () => ['brew'], /brew/],
  ];
  for (const [what, args, about] of badFlags) {
    test(`${what} is refused in one sentence`, async () => {
      assertRefused(await run(args(await newDirectory())), about);
    });
  }

  test('a data directory that cannot be made or written is refused', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'teahouse-e2e-'));
    const file = join(parent, 'file');
    await writeFile(file, 'not a directory');
    for (const dir of [join(file, 'data'), file, '/proc/teahouse-data']) {
      assertRefused(await run(['serve', '--data', dir, '--listen', '127.0.0.1:0']), new RegExp(dir));
    }
    assert.equal(await readFile(file, 'utf8'), 'not a directory');
  });

  test("somebody else's directory is refused and left as it was", async () => {
    const dir = await newDirectory();
    await mkdir(dir);
    await writeFile(join(dir, 'thesis.txt'), 'three years of work');
    assertRefused(await run(['serve', '--data', dir, '--listen', '127.0.0.1:0']), new RegExp(dir));
    assert.deepEqual(await readdir(dir), ['thesis.txt']);
  });

  test('a port that is taken is refused', async () => {
    const taken = createServer();
    await new Promise((resolve) => taken.listen(0, '127.0.0.1', () => resolve(undefined)));
    const { port } = /** @type {import('node:net').AddressInfo} */ (taken.address());
    assertRefused(
      await run(['serve', '--data', await newDirectory(), '--listen', `127.0.0.1:${port}`]),
      new RegExp(String(port)),
    );
    taken.close();
  });

  test('a data directory that another server uses is refused, and that server goes on', async () => {
    const server = await startServer();
    assertRefused(await run(['serve', '--data', server.dir, '--listen', '127.0.0.1:0']), new RegExp(server.dir));
    await server.restOk('im_open_login_svc/account_check', { CheckItem: [{ UserID: 'x' }] });
    await server.stop();
  });

  test('--dev makes an app, prints what is needed to use it, and knows it again', async () => {
    const dir = await newDirectory();
    /** @param {import('./harness/server.js').Server} server */
    const printed = (server) => {
      const text = server.stdout.entries.join('\n');
      const id = text.match(/SDKAppID\D*(\d{4,10})/i)?.[1];
      const secret = text.match(/secret\W+([0-9a-f]{32,})/i)?.[1];
      assert.ok(id && secret, text);
      assert.ok(text.includes(`http://${server.address}`), text);
      assert.ok(text.includes(`ws://${server.address}`), text);
      return { id: Number(id), secret };
    };
    const first = await startServer({ dir, apps: [], args: ['--dev'] });
    const app = printed(first);
    const answer = await first.rest('im_open_login_svc/account_check', { CheckItem: [{ UserID: 'x' }] }, { app });
    assert.equal(answer.ErrorCode, 0, answer.ErrorInfo);
    assert.deepEqual(await first.stop(), { code: 0, signal: null });
    const second = await startServer({ dir, apps: [], args: ['--dev'] });
    assert.deepEqual(printed(second), app);
    await second.stop();
  });

  test('an app that is named again stays, with what it has', async () => {
    const app = newApp();
    const server = await startServer({ apps: [app] });
    const user = userNamed('alice');
    await server.restOk('im_open_login_svc/account_import', { UserID: user });
    await server.restart();
    const { ResultItem } = await server.restOk('im_open_login_svc/account_check', { CheckItem: [{ UserID: user }] });
    assert.equal(ResultItem[0].AccountStatus, 'Imported');
    await server.stop();
  });
});

describe('teahouse ctl', () => {
  /** @type {import('./harness/server.js').Server} */
  let server;

  before(async () => {
    server = await startServer();
  });

  test('finds the running server by files in the data directory that only their owner may read', async () => {
    const shown = await server.ctl('app', 'list');
    assert.match(shown, new RegExp(String(server.app.id)));
    const secret = [];
    for (const name of await readdir(server.dir)) {
      const { mode } = await stat(join(server.dir, name));
      if (/control|token/.test(name)) secret.push([name, (mode & 0o777).toString(8)]);
    }
    assert.ok(secret.length > 0);
    for (const [name, mode] of secret) assert.equal(mode, '600', name);
  });

  test('creates an app that can be used at once', async () => {
    const id = server.app.id + 1000;
    const printed = await server.ctl('app', 'create', String(id));
    const secret = printed.match(/\b([0-9a-f]{64})\b/)?.[1];
    assert.ok(secret, printed);
    const app = { id, secret };
    assert.equal(
      (await server.rest('im_open_login_svc/account_check', { CheckItem: [{ UserID: 'x' }] }, { app })).ErrorCode,
      0,
    );
    assert.match(await server.ctl('app', 'list'), new RegExp(String(id)));
    assertRefused(await server.tryCtl('app', 'create', String(id)), new RegExp(String(id)));
  });

  test('shows and changes settings, and refuses what does not fit without changing anything', async () => {
    const id = String(server.app.id);
    await server.ctl('app', 'set', id, 'login.web_instances=4', 'login.hello_s=15');
    const shown = await server.ctl('app', 'show', id);
    assert.match(shown, /login\.web_instances\D+4\b/);
    assert.match(shown, /login\.hello_s\D+15\b/);
    for (const pair of [
      'login.web_instances=many',
      'login.web_instances=0',
      'no.such_setting=1',
      'login.web_instances',
    ]) {
      assertRefused(
        await server.tryCtl('app', 'set', id, 'login.hello_s=17', pair),
        /login\.web_instances|no\.such_setting/,
      );
    }
    assert.match(await server.ctl('app', 'show', id), /login\.hello_s\D+15\b/);
    const connection = await server.openRaw();
    assert.equal((await connection.login(userNamed('alice'))).HelloInterval, 15);
    assertRefused(await server.tryCtl('app', 'show', '77'), /77/);
  });

  test('adds and removes administrators', async () => {
    const id = String(server.app.id);
    const boss = userNamed('boss');
    await server.restOk('im_open_login_svc/account_import', { UserID: boss });
    const ask = () =>
      server.rest('im_open_login_svc/account_check', { CheckItem: [{ UserID: boss }] }, { identifier: boss });
    const refused = [60010, 70403];
    assert.ok(refused.includes((await ask()).ErrorCode));
    await server.ctl('app', 'admin', id, 'add', boss);
    assert.equal((await ask()).ErrorCode, 0);
    const listed = (await server.ctl('app', 'admin', id, 'list')).split(/\s+/);
    assert.ok(listed.includes(boss) && listed.includes(ADMINISTRATOR), listed.join());
    await server.ctl('app', 'admin', id, 'remove', boss);
    assert.ok(refused.includes((await ask()).ErrorCode));
  });

  test('rotates keys: old and new are good together, and the old one ends when it is removed', async () => {
    const id = server.app.id + 2000;
    const [first, second] = [newApp(id), newApp(id)];
    await server.ctl('app', 'create', String(id), first.secret);
    const accepted = async () => {
      const answers = [first, second].map((app) =>
        server.rest('im_open_login_svc/account_check', { CheckItem: [{ UserID: 'x' }] }, { app }),
      );
      return (await Promise.all(answers)).map(({ ErrorCode }) => ErrorCode);
    };
    assert.deepEqual(await accepted(), [0, 70009]);
    await server.ctl('app', 'set', String(id), `key.add=${second.secret}`);
    assert.deepEqual(await accepted(), [0, 0]);
    await server.ctl('app', 'set', String(id), `key.remove=${first.secret}`);
    assert.deepEqual(await accepted(), [70009, 0]);
    assertRefused(await server.tryCtl('app', 'set', String(id), `key.remove=${second.secret}`));
    assert.deepEqual(await accepted(), [70009, 0], 'an app is never left without a key');
  });

  test('says so when there is no server', async () => {
    const dir = await newDirectory();
    await mkdir(dir);
    assertRefused(await run(['ctl', '--data', dir, 'app', 'list']), new RegExp(dir));
    const stopped = await startServer();
    await stopped.stop();
    assertRefused(await stopped.tryCtl('app', 'list'), new RegExp(stopped.dir));
  });
});
