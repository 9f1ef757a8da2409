import { expect, test } from 'vitest';
import { ChatError, LocalCode, user } from '../src/index.ts';
import { c2c, c2cEvent, Harness, settle } from './harness.ts';

test('a login sends the signature in the head, and what follows carries the token', async () => {
  const { client, socket } = await loggedIn();
  const [login] = socket.sent;
  expect(login?.head).toMatchObject({
    ver: 'v4',
    platform: 7,
    sdkappid: 1_400_000_000,
    identifier: 'alice',
    usersig: 'signature',
    status_instid: 0,
    servcmd: 'im_open_status.wslogin',
  });
  expect(login?.body).toEqual({ State: 'Online', is_web_uniapp: 0, InstType: 0, CustomInfo: '' });
  const list = socket.last('recentcontact.page_get');
  expect(list.head).toMatchObject({ a2: 'token', tinyid: '144115200000000001', status_instid: 7 });
  expect(list.head).not.toHaveProperty('usersig');
  expect(client.userId).toBe('alice');
});

test('the address names app and client, and asks for compression only if it can be undone', async () => {
  const without = await loggedIn();
  const url = new URL(without.socket.url);
  expect(url.pathname).toBe('/binfo');
  expect(url.searchParams.get('sdkappid')).toBe('1400000000');
  expect(url.searchParams.get('instanceid')).toMatch(/^[0-9a-f]{32}$/);
  expect(url.searchParams.has('compress')).toBe(false);
  const harness = new Harness({ url: 'wss://host/prefix/' }, { inflate: () => Promise.reject(new Error('unused')) });
  await harness.login();
  expect(harness.socket.url).toMatch(/^wss:\/\/host\/prefix\/binfo\?/);
  expect(new URL(harness.socket.url).searchParams.get('compress')).toBe('gzip');
});

test('a login resolves when the list is there', async () => {
  const harness = new Harness();
  let getmsg = 0;
  harness.answers['recentcontact.page_get'] = () => ({
    CompleteFlag: 1,
    TimeStamp: 1_795_390_000,
    SessionItem: [
      {
        Type: 1,
        To_Account: 'bob',
        MsgTime: 1_795_389_000,
        LastC2CMsgFrom_Account: 'bob',
        LastMsg: { MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'lunch?' } }] },
        C2cNick: 'Bob',
        C2cPeerReadTime: 1_795_388_000,
      },
    ],
  });
  harness.answers['openim.getmsg'] = () => {
    getmsg += 1;
    return {
      SyncFlag: getmsg === 1 ? 1 : 2,
      Cookie: `0-${getmsg}`,
      MsgList: [c2c('bob', 'alice', 'lunch?')],
      C2CPairUnreadCount: [{ From_Account: 'bob', UnreadCount: 2 }],
    };
  };
  await harness.login();
  expect(harness.client.conversations).toEqual([
    {
      id: 'user:bob',
      name: 'Bob',
      unread: 2,
      last: { from: 'bob', elements: [{ type: 'text', text: 'lunch?' }], time: 1_795_389_000, seq: 0 },
      peerReadTime: 1_795_388_000,
      pinned: false,
    },
  ]);
  expect(harness.socket.last('openim.getmsg').body).toMatchObject({ Cookie: '0-1', SyncFlag: 1 });
  expect(harness.events.message).toEqual([]);
  expect(harness.events.state).toEqual(['connecting', 'online']);
});

test('a refused login rejects with the code of the server and leaves nobody logged in', async () => {
  const harness = new Harness();
  harness.answers['im_open_status.wslogin'] = () => ({ ErrorCode: 70009, ErrorInfo: 'wrong key' });
  const login = harness.client.login('alice', 'bad');
  await expect(login).rejects.toEqual(new ChatError(70009, 'wrong key', 'im_open_status.wslogin'));
  expect(harness.client.state).toBe('offline');
  expect(harness.client.userId).toBeUndefined();
  expect(harness.socket.closedWith).toBe(4000);
  await harness.clock.advance(120_000);
  expect(harness.sockets).toHaveLength(1);
  harness.answers['im_open_status.wslogin'] = new Harness().answers['im_open_status.wslogin']!;
  await harness.login();
  expect(harness.client.state).toBe('online');
});

test.each([{ TinyId: '1' }, { A2Key: 'token' }])('a login answer with only %o is refused', async (answer) => {
  const harness = new Harness();
  harness.answers['im_open_status.wslogin'] = () => answer;
  await expect(harness.client.login('alice', 'signature')).rejects.toMatchObject({ code: LocalCode.BadAnswer });
});

test('a login waits for a server that is not there yet, but not for ever', async () => {
  const harness = new Harness();
  harness.opens = false;
  const login = harness.client.login('alice', 'signature');
  harness.socket.lose();
  await harness.clock.advance(5_000);
  expect(harness.sockets.length).toBeGreaterThan(1);
  const rejected = expect(login).rejects.toMatchObject({ code: LocalCode.Timeout });
  await harness.clock.advance(25_000);
  await rejected;
  const tries = harness.sockets.length;
  await harness.clock.advance(120_000);
  expect(harness.sockets).toHaveLength(tries);
});

test('a second login and one without signature are refused before anything is sent', async () => {
  const { client, socket } = await loggedIn();
  const sent = socket.sent.length;
  await expect(client.login('bob', 'signature')).rejects.toMatchObject({ code: LocalCode.AlreadyLoggedIn });
  await expect(new Harness().client.login('bob', '')).rejects.toMatchObject({ code: LocalCode.BadArgument });
  expect(socket.sent).toHaveLength(sent);
});

test('an address that is none rejects the login', async () => {
  const harness = new Harness(
    {},
    {
      openSocket: () => {
        throw new SyntaxError('bad address');
      },
    },
  );
  await expect(harness.client.login('alice', 'signature')).rejects.toMatchObject({ code: LocalCode.BadArgument });
  expect(harness.client.state).toBe('offline');
});

test('after a logout the socket is closed, the list is empty, and somebody else can log in', async () => {
  const harness = await loggedIn();
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'hello')));
  expect(harness.client.conversations).toHaveLength(1);
  await harness.client.logout();
  expect(harness.socket.last('im_open_status.wslogout').body).toEqual({ wslogout_type: 0, is_web_uniapp: 0 });
  expect(harness.socket.closedWith).toBe(4000);
  expect(harness.client.conversations).toEqual([]);
  await harness.login('carol');
  expect(harness.sockets).toHaveLength(2);
  expect(harness.socket.sent[0]?.head).toMatchObject({ identifier: 'carol' });
  expect(harness.client.userId).toBe('carol');
});

test('a login right behind a logout is not disturbed by what the old session waited for', async () => {
  const harness = new Harness();
  harness.answers['openim.getmsg'] = () => undefined;
  const first = harness.client.login('alice', 'signature');
  const rejected = expect(first).rejects.toMatchObject({ code: LocalCode.NotLoggedIn });
  await settle();
  harness.answers['im_open_status.wslogout'] = () => undefined;
  const logout = harness.client.logout();
  await harness.clock.advance(3_000);
  harness.answers['openim.getmsg'] = () => ({ SyncFlag: 2, Cookie: '0-1' });
  await logout;
  const second = harness.client.login('bob', 'signature');
  await settle();
  await second;
  await rejected;
  expect(harness.client.userId).toBe('bob');
});

test('without a login requests are refused and not kept', async () => {
  const { client } = new Harness();
  await expect(client.history(user('bob'))).rejects.toMatchObject({ code: LocalCode.NotLoggedIn });
  expect(() => client.compose(user('bob'), [])).toThrow(ChatError);
});

async function loggedIn(): Promise<Harness> {
  const harness = new Harness();
  await harness.login();
  return harness;
}
