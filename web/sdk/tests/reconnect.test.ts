import { expect, test } from 'vitest';
import { LocalCode, text, user } from '../src/index.ts';
import { backoffMs } from '../src/backoff.ts';
import { Requests } from '../src/requests.ts';
import { c2c, c2cEvent, Harness, settle } from './harness.ts';

const SEND = 'openim.sendmsg';

async function loggedIn(): Promise<Harness> {
  const harness = new Harness();
  await harness.login();
  return harness;
}

test('an unanswered request is sent again on the next socket: same number, same body, after the login', async () => {
  const harness = await loggedIn();
  const { client } = harness;
  const first = harness.socket;
  const sending = client.send(client.compose(user('bob'), text('lunch?')));
  await settle();
  harness.answers[SEND] = () => ({ MsgTime: 1_795_390_050 });
  await harness.reconnect();
  const second = harness.socket;
  expect(second).not.toBe(first);
  expect(second.last(SEND).head.seq).toBe(first.last(SEND).head.seq);
  expect(second.last(SEND).body).toEqual(first.last(SEND).body);
  expect(second.commands().filter((command) => command === SEND)).toHaveLength(1);
  expect(second.commands().slice(0, 2)).toEqual(['im_open_status.wslogin', SEND]);
  await expect(sending).resolves.toMatchObject({ time: 1_795_390_050 });
});

test('an answered request is not sent again', async () => {
  const harness = await loggedIn();
  harness.answers[SEND] = () => ({ MsgTime: 1_795_390_050 });
  await harness.client.send(harness.client.compose(user('bob'), text('lunch?')));
  await harness.reconnect();
  expect(harness.client.state).toBe('online');
  expect(harness.socket.commands()).not.toContain(SEND);
});

test('two answers to one request settle it once, and the second is no push', async () => {
  const harness = await loggedIn();
  const { client } = harness;
  const sending = client.send(client.compose(user('bob'), text('lunch?')));
  await settle();
  const request = harness.socket.last(SEND);
  harness.socket.reply(request, { MsgTime: 1_795_390_050 });
  harness.socket.reply(request, { MsgTime: 1_795_390_099 });
  await expect(sending).resolves.toMatchObject({ time: 1_795_390_050 });
  expect(client.conversations).toHaveLength(1);
});

test('a request that is made while the connection is away waits for the next one', async () => {
  const harness = await loggedIn();
  harness.socket.lose();
  expect(harness.client.state).toBe('connecting');
  harness.answers[SEND] = () => ({ MsgTime: 1_795_390_050 });
  const sending = harness.client.send(harness.client.compose(user('bob'), text('lunch?')));
  await harness.clock.advance(1_000);
  await expect(sending).resolves.toMatchObject({ time: 1_795_390_050 });
});

test('nothing is asked on a new socket before it is logged in', async () => {
  const harness = await loggedIn();
  const answer = harness.answers['im_open_status.wslogin']!;
  harness.answers['im_open_status.wslogin'] = () => undefined;
  harness.socket.lose();
  await harness.clock.advance(500);
  const sending = harness.client.send(harness.client.compose(user('bob'), text('lunch?')));
  await settle();
  expect(harness.socket.commands()).toEqual(['im_open_status.wslogin']);
  const login = harness.socket.last('im_open_status.wslogin');
  harness.answers[SEND] = () => ({ MsgTime: 1_795_390_050 });
  harness.socket.reply(login, answer(login)!);
  await expect(sending).resolves.toMatchObject({ time: 1_795_390_050 });
});

test('requests that end with their connection give their places back', async () => {
  const harness = new Harness({ requestsMax: 3 });
  await harness.login();
  const answer = harness.answers['openim.getmsg']!;
  harness.answers['openim.getmsg'] = () => undefined;
  for (let count = 0; count < 4; count++) {
    harness.socket.lose();
    await harness.clock.advance(4_500);
    expect(harness.socket.commands()).toContain('openim.getmsg');
  }
  harness.answers['openim.getmsg'] = answer;
  await harness.reconnect();
  expect(harness.client.state).toBe('online');
});

test('a reconnect logs in with the token and asks for what was missed with cursor and cookie', async () => {
  const harness = await loggedIn();
  const heads: unknown[] = [];
  const answer = harness.answers['im_open_status.wslogin']!;
  harness.answers['im_open_status.wslogin'] = (request) => {
    heads.push(request.head);
    return answer(request);
  };
  harness.answers['openim.getmsg'] = () => ({ SyncFlag: 2, Cookie: '0-2' });
  await harness.reconnect();
  expect(heads).toEqual([expect.objectContaining({ a2: 'token', tinyid: '144115200000000001', status_instid: 7 })]);
  expect(harness.socket.last('recentcontact.page_get').body).toMatchObject({ TimeStamp: 1_795_390_000 });
  expect(harness.socket.last('openim.getmsg').body).toMatchObject({ Cookie: '0-1', SyncFlag: 0 });
  expect(harness.events.state).toEqual(['connecting', 'online', 'connecting', 'online']);
  await harness.reconnect();
  expect(harness.socket.last('openim.getmsg').body).toMatchObject({ Cookie: '0-2' });
});

test('missed messages are told once, and the unread count is the one of the server', async () => {
  const harness = await loggedIn();
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'one')));
  harness.answers['openim.getmsg'] = () => ({
    SyncFlag: 2,
    Cookie: '0-2',
    MsgList: [c2c('bob', 'alice', 'one'), c2c('bob', 'alice', 'two'), c2c('carol', 'alice', 'three')],
    C2CPairUnreadCount: [{ From_Account: 'bob', UnreadCount: 2 }],
  });
  await harness.reconnect();
  const told = harness.events.message.map(({ elements }) => (elements[0]?.type === 'text' ? elements[0].text : ''));
  expect(told).toEqual(['one', 'two', 'three']);
  expect(harness.client.conversation('user:bob')?.unread).toBe(2);
  expect(harness.client.conversation('user:carol')?.unread).toBe(0);
});

test('where the server only lists a conversation, what is new in it is fetched page by page', async () => {
  const harness = await loggedIn();
  const message = (content: string, time: number) => c2c('bob', 'alice', content, { MsgTimeStamp: time });
  harness.socket.push(c2cEvent(message('known', 100)));
  harness.answers['recentcontact.page_get'] = () => ({
    CompleteFlag: 1,
    SessionItem: [{ Type: 1, To_Account: 'bob', MsgTime: 102, LastMsg: { MsgBody: [] }, UnreadMsgCount: 4 }],
  });
  const pages = [
    { Complete: 0, LastMsgTime: 101, MsgList: [message('older', 100), message('known', 100), message('a', 101)] },
    { Complete: 1, LastMsgTime: 102, MsgList: [message('b', 102)] },
  ];
  const asked: unknown[] = [];
  harness.answers['openim.getroammsg'] = ({ body }) => {
    asked.push(body);
    return pages[asked.length - 1];
  };
  harness.answers['openim.getmsg'] = () => ({
    SyncFlag: 2,
    Cookie: '0-2',
    C2CPairUnreadCount: [{ From_Account: 'bob', UnreadCount: 4 }],
  });
  await harness.reconnect();
  expect(asked).toEqual([
    expect.objectContaining({ Peer_Account: 'bob', GetDirection: 1, LastMsgTime: 100 }),
    expect.objectContaining({ Peer_Account: 'bob', GetDirection: 1, LastMsgTime: 102 }),
  ]);
  expect(harness.events.message.map(({ time }) => time)).toEqual([100, 101, 102]);
  expect(harness.client.conversation('user:bob')?.unread).toBe(4);
  expect(harness.events.gap).toEqual([]);
});

test('a history that does not end leaves a gap', async () => {
  const harness = await loggedIn();
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'known')));
  harness.answers['recentcontact.page_get'] = () => ({
    CompleteFlag: 1,
    SessionItem: [{ Type: 1, To_Account: 'bob' }],
  });
  let pages = 0;
  harness.answers['openim.getroammsg'] = () => {
    pages += 1;
    return { Complete: 0, LastMsgTime: 0, MsgList: [] };
  };
  await harness.reconnect();
  expect(pages).toBe(10);
  expect(harness.events.gap).toEqual([{ conversation: 'user:bob', missed: 0 }]);
});

test('a catch-up that the connection interrupts begins anew where it began', async () => {
  const harness = await loggedIn();
  harness.answers['recentcontact.page_get'] = () => ({ CompleteFlag: 1, TimeStamp: 1_795_390_777, SessionItem: [] });
  const answer = harness.answers['openim.getmsg']!;
  harness.answers['openim.getmsg'] = () => undefined;
  harness.socket.lose();
  await harness.clock.advance(500);
  expect(harness.socket.commands()).toContain('openim.getmsg');
  harness.answers['openim.getmsg'] = answer;
  const known = harness.sockets.length;
  await harness.reconnect();
  expect(harness.sockets).toHaveLength(known + 1);
  expect(harness.socket.last('recentcontact.page_get').body).toMatchObject({ TimeStamp: 1_795_390_000 });
  expect(harness.client.state).toBe('online');
});

test('a server that refuses to catch up is left and tried again', async () => {
  const harness = await loggedIn();
  const answer = harness.answers['openim.getmsg']!;
  harness.answers['openim.getmsg'] = () => ({ ErrorCode: 60008 });
  harness.socket.lose();
  await harness.clock.advance(10_000);
  expect(harness.client.state).toBe('connecting');
  expect(harness.sockets.length).toBeGreaterThan(2);
  expect(harness.sockets.at(-2)?.closedWith).toBe(4001);
  harness.answers['openim.getmsg'] = answer;
  await harness.clock.advance(60_000);
  expect(harness.client.state).toBe('online');
});

test('a request has one deadline, however often it is sent', async () => {
  const harness = await loggedIn();
  const { client } = harness;
  const sending = client.send(client.compose(user('bob'), text('lunch?')));
  const rejected = expect(sending).rejects.toMatchObject({ code: LocalCode.Timeout, command: SEND });
  await harness.clock.advance(12_000);
  harness.socket.lose();
  await harness.clock.advance(12_000);
  harness.socket.lose();
  await harness.clock.advance(6_000);
  await rejected;
  await harness.reconnect();
  expect(harness.socket.commands()).not.toContain(SEND);
});

test('a bounded number of requests waits', async () => {
  const harness = new Harness({ requestsMax: 3 });
  await harness.login();
  const { client } = harness;
  const send = () => client.send(client.compose(user('bob'), text('again')));
  const waiting = [send(), send(), send()];
  await expect(send()).rejects.toMatchObject({ code: LocalCode.TooManyRequests });
  const settled = Promise.allSettled(waiting);
  await client.logout();
  const codes = (await settled).map((result) => (result.status === 'rejected' ? result.reason.code : 0));
  expect(codes).toEqual([LocalCode.NotLoggedIn, LocalCode.NotLoggedIn, LocalCode.NotLoggedIn]);
});

test('tries are spread more and more, and begin anew when all is well', async () => {
  const harness = await loggedIn();
  harness.chance = 0.999_999;
  harness.opens = false;
  const openedAt: number[] = [];
  let previous = harness.clock.nowMs;
  harness.socket.lose();
  for (let count = 0; count < 4; count++) {
    const known = harness.sockets.length;
    while (harness.sockets.length === known) await harness.clock.advance(10);
    openedAt.push(harness.clock.nowMs - previous);
    previous = harness.clock.nowMs;
    harness.socket.lose();
  }
  expect(openedAt).toEqual([500, 1000, 2000, 4000]);
  harness.opens = true;
  await harness.clock.advance(8_000);
  expect(harness.client.state).toBe('online');
  const known = harness.sockets.length;
  harness.socket.lose();
  await harness.clock.advance(500);
  expect(harness.sockets).toHaveLength(known + 1);
});

test.each([
  [0, 0, 0],
  [0, 0.5, 250],
  [3, 0.5, 2000],
  [6, 0.5, 15_000],
  [1_000_000, 0.999, 29_970],
])('after %i tries and with chance %f the delay is %i ms', (tries, random, expected) => {
  expect(backoffMs(tries, random)).toBe(expected);
});

test('when the network is back the next try does not wait', async () => {
  const harness = await loggedIn();
  harness.socket.lose();
  const known = harness.sockets.length;
  harness.wakeUp();
  expect(harness.sockets).toHaveLength(known + 1);
  await settle();
  expect(harness.client.state).toBe('online');
  harness.wakeUp();
  expect(harness.sockets).toHaveLength(known + 1);
  await harness.clock.advance(5_000);
  expect(harness.sockets).toHaveLength(known + 1);
});

test('what an old socket still says is not heard', async () => {
  const harness = await loggedIn();
  const old = harness.socket;
  await harness.reconnect();
  old.push(c2cEvent(c2c('bob', 'alice', 'late')));
  old.lose();
  expect(harness.events.message).toEqual([]);
  expect(harness.client.state).toBe('online');
});

test('a socket that does not open is given up', async () => {
  const harness = await loggedIn();
  harness.opens = false;
  harness.socket.lose();
  await harness.clock.advance(500);
  const stuck = harness.socket;
  await harness.clock.advance(10_000);
  expect(stuck.closedWith).toBe(4001);
  harness.opens = true;
  await harness.clock.advance(5_000);
  expect(harness.client.state).toBe('online');
});

test('a frame that cannot be read costs the connection, not the client', async () => {
  const harness = await loggedIn();
  harness.socket.receive(new TextEncoder().encode('{'));
  expect(harness.client.state).toBe('connecting');
  await harness.clock.advance(500);
  expect(harness.client.state).toBe('online');
});

test.each([
  [20002, {}, 'expired'],
  [70001, {}, 'expired'],
  [1002, { KickType: 1 }, 'otherLogin'],
  [1002, { KickType: 3 }, 'backend'],
] as const)('a new login that is refused with %i %o ends the session: %s', async (code, fields, reason) => {
  const harness = await loggedIn();
  harness.answers['im_open_status.wslogin'] = () => ({ ErrorCode: code, ...fields });
  await harness.reconnect();
  expect(harness.events.kicked).toEqual([{ reason }]);
  expect(harness.client.state).toBe('offline');
  const tries = harness.sockets.length;
  await harness.clock.advance(120_000);
  expect(harness.sockets).toHaveLength(tries);
});

test('numbers begin anew behind the largest one', () => {
  let chance = 0.999_999_99;
  const requests = new Requests(10, () => chance);
  const first = requests.nextSeq();
  expect(first).toBeLessThanOrEqual(100_000_000);
  expect(requests.nextSeq()).toBe(first + 1);
  // Two thousand million numbers are too many for a test: begin close to the end.
  chance = 24.159_191_02;
  const late = new Requests(10, () => chance);
  chance = 0;
  expect(late.nextSeq()).toBe(2_415_919_103);
  expect(late.nextSeq()).toBe(0);
});
