import { expect, test } from 'vitest';
import { custom, LocalCode, plainText, text, user, type HistoryCursor } from '../src/index.ts';
import { c2c, c2cEvent, Harness, settle } from './harness.ts';

async function loggedIn(): Promise<Harness> {
  const harness = new Harness();
  await harness.login();
  return harness;
}

const texts = (harness: Harness) => harness.events.message.map(plainText);

test('a message is sent with the fields of the protocol', async () => {
  const harness = await loggedIn();
  harness.answers['openim.sendmsg'] = () => ({ MsgTime: 1_795_390_050, MsgKey: 'x' });
  const elements = [text('lunch?'), custom('{"table":4}', 'a table', 'ext')];
  const message = harness.client.compose(user('bob'), elements, { customData: 'urgent' });
  const sent = await harness.client.send(message);
  expect(harness.socket.last('openim.sendmsg').body).toEqual({
    From_Account: 'alice',
    To_Account: 'bob',
    MsgSeq: message.seq,
    MsgRandom: 50_000_000,
    MsgBody: [
      { MsgType: 'TIMTextElem', MsgContent: { Text: 'lunch?' } },
      { MsgType: 'TIMCustomElem', MsgContent: { Data: '{"table":4}', Desc: 'a table', Ext: 'ext' } },
    ],
    CloudCustomData: 'urgent',
    MsgClientTime: 1_795_390_000,
  });
  expect(sent).toEqual({ ...message, time: 1_795_390_050 });
  expect(sent.id).toBe('144115200000000001-1795390000-50000000');
  expect(harness.client.conversation(user('bob'))).toMatchObject({ unread: 0, last: { from: 'alice' } });
});

test('a message for connected devices only says so and is not listed', async () => {
  const harness = await loggedIn();
  harness.answers['openim.sendmsg'] = () => ({ MsgTime: 1_795_390_050 });
  await harness.client.send(harness.client.compose(user('bob'), text('typing'), { onlineOnly: true }));
  expect(harness.socket.last('openim.sendmsg').body).toMatchObject({ MsgLifeTime: 0 });
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'typing', { MsgLifeTime: 0 })));
  expect(texts(harness)).toEqual(['typing']);
  expect(harness.client.conversations).toEqual([]);
});

test('the times of messages are those of the server, also with a wrong clock', async () => {
  const harness = new Harness();
  harness.clock.nowMs -= 3_600_000;
  await harness.login();
  expect(harness.client.compose(user('bob'), text('x')).clientTime).toBe(1_795_390_000);
});

test('a message of somebody else is not sent', async () => {
  const harness = await loggedIn();
  const message = { ...harness.client.compose(user('bob'), text('x')), from: 'mallory' };
  await expect(harness.client.send(message)).rejects.toMatchObject({ code: LocalCode.BadArgument });
  expect(harness.socket.commands()).not.toContain('openim.sendmsg');
});

test('a refused message rejects with the code of the server', async () => {
  const harness = await loggedIn();
  harness.answers['openim.sendmsg'] = () => ({ ErrorCode: 80002, ErrorInfo: 'too long' });
  const sending = harness.client.send(harness.client.compose(user('bob'), text('x')));
  await expect(sending).rejects.toMatchObject({ name: 'ChatError', code: 80002, message: 'too long' });
  expect(harness.client.conversations).toEqual([]);
});

test('a pushed message is told, listed and counted', async () => {
  const harness = await loggedIn();
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'hello', { From_AccountNick: 'Bob', CloudCustomData: 'x' })));
  await settle();
  expect(harness.events.message).toEqual([
    {
      kind: 'message',
      id: expect.stringMatching(/^144115200000000002-1795390001-\d+$/),
      conversation: 'user:bob',
      from: 'bob',
      fromNick: 'Bob',
      elements: [{ type: 'text', text: 'hello' }],
      customData: 'x',
      time: 1_795_390_001,
      clientTime: 1_795_390_001,
      seq: 1,
      random: expect.any(Number),
      priority: 'Normal',
      onlineOnly: false,
    },
  ]);
  expect(harness.client.conversation(user('bob'))).toMatchObject({ name: 'Bob', unread: 1, last: { from: 'bob' } });
});

test('a message that is pushed twice is told once', async () => {
  const harness = await loggedIn();
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'hello')), c2cEvent(c2c('bob', 'alice', 'hello')));
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'hello')));
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'hello', { MsgSeq: 2 })));
  expect(texts(harness)).toEqual(['hello', 'hello']);
  expect(harness.client.conversation(user('bob'))?.unread).toBe(2);
});

test('an own message comes from another device with its ends swapped, and is not unread', async () => {
  const harness = await loggedIn();
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'from my phone', { IsSyncMsg: 1 })));
  expect(harness.events.message).toMatchObject([{ conversation: 'user:bob', from: 'alice' }]);
  expect(harness.client.conversation(user('bob'))?.unread).toBe(0);
});

test('an own message that the server sends back is not told', async () => {
  const harness = await loggedIn();
  const message = harness.client.compose(user('bob'), text('hello'));
  const sending = harness.client.send(message);
  await settle();
  const echo = c2c('bob', 'alice', 'hello', {
    IsSyncMsg: 1,
    MsgSeq: message.seq,
    MsgRandom: message.random,
    MsgClientTime: message.clientTime,
    TinyId: '144115200000000001',
  });
  harness.socket.push(c2cEvent(echo));
  harness.socket.reply(harness.socket.last('openim.sendmsg'), { MsgTime: 1_795_390_050 });
  await sending;
  expect(harness.events.message).toEqual([]);
  expect(harness.client.conversation(user('bob'))?.unread).toBe(0);
});

test.each([{ SendMsgControl: { NoUnread: 1 } }, { MsgLifeTime: 0 }])(
  'with %o a message is not unread',
  async (fields) => {
    const harness = await loggedIn();
    harness.socket.push(c2cEvent(c2c('bob', 'alice', 'first')));
    harness.socket.push(c2cEvent(c2c('bob', 'alice', 'second', fields)));
    expect(texts(harness)).toEqual(['first', 'second']);
    expect(harness.client.conversation(user('bob'))?.unread).toBe(1);
  },
);

test('an element that is not known is passed on as it is', async () => {
  const harness = await loggedIn();
  const face = [{ MsgType: 'TIMFaceElem', MsgContent: { Index: 3, Data: 'tea' } }];
  harness.socket.push(c2cEvent(c2c('bob', 'alice', '', { MsgBody: face })));
  expect(harness.events.message[0]?.elements).toEqual([
    { type: 'other', name: 'TIMFaceElem', content: { Index: 3, Data: 'tea' } },
  ]);
});

test('a push that asks for it is acknowledged, and one that says so is followed by asking for more', async () => {
  const harness = await loggedIn();
  harness.answers['openim.getmsg'] = () => ({ SyncFlag: 2, Cookie: '0-2', MsgList: [c2c('bob', 'alice', 'more')] });
  harness.socket.deliver('im_open_push.msg_push', 1, {
    EventArray: [c2cEvent(c2c('bob', 'alice', 'hello'))],
    NeedAck: 1,
    SessionData: 's-1',
    Flag: 1,
  });
  await settle();
  expect(harness.socket.last('openim.ws_msg_push_ack').body).toEqual({ SessionData: 's-1' });
  expect(harness.socket.last('openim.getmsg').body).toMatchObject({ Cookie: '0-1', IsOnlineSync: 1 });
  expect(texts(harness)).toEqual(['hello', 'more']);
});

test('a history is read page by page, oldest message first, without recalled ones', async () => {
  const harness = await loggedIn();
  const asked: unknown[] = [];
  harness.answers['openim.getroammsg'] = ({ body }) => {
    asked.push(body);
    const key = { LastMsgTime: 99, MsgKey: '1_2_99' };
    return asked.length === 1
      ? {
          Complete: 0,
          ...key,
          MsgList: [
            c2c('bob', 'alice', 'b'),
            c2c('bob', 'alice', 'gone', { MsgFlagBits: 8 }),
            c2c('alice', 'bob', 'c'),
          ],
        }
      : { Complete: 1, ...key, MsgList: [c2c('bob', 'alice', 'a')] };
  };
  const first = await harness.client.history(user('bob'), { limit: 99 });
  expect(first.entries.map((entry) => entry.kind === 'message' && [entry.from, plainText(entry)])).toEqual([
    ['bob', 'b'],
    ['alice', 'c'],
  ]);
  const second = await harness.client.history(user('bob'), { before: first.older as HistoryCursor });
  expect(second.entries).toHaveLength(1);
  expect(second.older).toBeUndefined();
  expect(asked).toEqual([
    { Peer_Account: 'bob', MaxCnt: 20, LastMsgTime: 0, MsgKey: '', WithRecalledMsg: 1, GetDirection: 0 },
    { Peer_Account: 'bob', MaxCnt: 15, LastMsgTime: 99, MsgKey: '1_2_99', WithRecalledMsg: 1, GetDirection: 0 },
  ]);
  expect(harness.events.message).toEqual([]);
});

test('marking as read empties the count at once and tells the server up to when', async () => {
  const harness = await loggedIn();
  harness.answers['openim.msgreaded'] = () => ({});
  harness.socket.push(
    c2cEvent(c2c('bob', 'alice', 'one'), c2c('bob', 'alice', 'two', { MsgTimeStamp: 1_795_390_002 })),
  );
  const marking = harness.client.markRead(user('bob'));
  expect(harness.client.conversation(user('bob'))?.unread).toBe(0);
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'three', { MsgTimeStamp: 1_795_390_003 })));
  await marking;
  expect(harness.socket.last('openim.msgreaded').body).toEqual({
    C2CMsgReaded: {
      Cookie: '',
      C2CMsgReadedItem: [{ To_Account: 'bob', LastedMsgTime: 1_795_390_002, Receipt: 1 }],
    },
  });
  expect(harness.client.conversation(user('bob'))?.unread).toBe(1);
  const sent = harness.socket.sent.length;
  await harness.client.markRead(user('nobody'));
  expect(harness.socket.sent).toHaveLength(sent);
});

test('the read marks of the peer are told once and never go back', async () => {
  const harness = await loggedIn();
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'hello')));
  const read = (time: number) => ({
    Event: 10,
    C2cNotifyMsgArray: [{ C2cReadedReceipt: { To_Account: 'bob', UinPairReadArray: [{ LastReadTime: time }] } }],
  });
  harness.socket.push(read(20), read(20), read(10));
  expect(harness.events.read).toEqual([{ conversation: 'user:bob', time: 20 }]);
  expect(harness.client.conversation(user('bob'))?.peerReadTime).toBe(20);
});

test('what was read on another device is read here', async () => {
  const harness = await loggedIn();
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'hello')));
  const read = (time: number) => ({
    Event: 10,
    C2cNotifyMsgArray: [{ ReadC2cMsgNotify: { UinPairReadArray: [{ From_Account: 'bob', LastReadTime: time }] } }],
  });
  harness.socket.push(read(1_795_390_000));
  expect(harness.client.conversation(user('bob'))?.unread).toBe(1);
  harness.socket.push(read(1_795_390_001));
  expect(harness.client.conversation(user('bob'))?.unread).toBe(0);
});

test('a conversation that was deleted on another device leaves the list', async () => {
  const harness = await loggedIn();
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'hello')));
  const RecentContactList = [{ Type: 1, UserId: 'bob' }];
  harness.socket.push({
    Event: 13,
    RecentContactMod: [{ PushType: 1, RecentContactDeleteItem: { RecentContactList } }],
  });
  expect(harness.client.conversations).toEqual([]);
});

test('a kick ends the session and what waits on it', async () => {
  const harness = await loggedIn();
  const waiting = harness.client.history(user('bob'));
  const rejected = expect(waiting).rejects.toMatchObject({ code: LocalCode.NotLoggedIn });
  harness.socket.deliver('im_open_status.stat_forceoffline', 1, {
    EventArray: [{ Event: 10, C2cNotifyMsgArray: [{ KickoutMsgNotify: { KickType: 1 } }] }],
  });
  await rejected;
  expect(harness.events.kicked).toEqual([{ reason: 'otherLogin' }]);
  expect(harness.events.state.at(-1)).toBe('offline');
  expect(harness.socket.closedWith).toBe(4000);
});

test('changes of the list are told together', async () => {
  const harness = await loggedIn();
  await settle();
  harness.events.conversations.length = 0;
  harness.socket.push(
    c2cEvent(c2c('bob', 'alice', 'one'), c2c('carol', 'alice', 'two', { MsgTimeStamp: 1_795_390_009 })),
  );
  await settle();
  expect(harness.events.conversations).toHaveLength(1);
  expect(harness.events.conversations[0]?.map(({ id }) => id)).toEqual(['user:carol', 'user:bob']);
});

test('a listener that is removed is not called any more', async () => {
  const harness = await loggedIn();
  let calls = 0;
  const listener = () => void calls++;
  const removeFirst = harness.client.on('message', listener);
  harness.client.on('message', listener);
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'one')));
  expect(calls).toBe(2);
  removeFirst();
  harness.socket.push(c2cEvent(c2c('bob', 'alice', 'two')));
  expect(calls).toBe(3);
});

test.each([
  { EventArray: 'x' },
  { EventArray: [null, 7, { Event: 1 }, { Event: 1, C2cMsgArray: [null, 'x'] }, { Event: 4, GroupTips: [{}] }] },
  { EventArray: [{ C2cNotifyMsgArray: [{}] }, { RecentContactMod: [{ PushType: 9 }] }, { UnknownKey: [{}] }] },
])('a push that makes no sense changes nothing: %j', async (body) => {
  const harness = await loggedIn();
  harness.socket.deliver('im_open_push.msg_push', 1, body);
  harness.socket.deliver('some.other_push', 1, body);
  expect(harness.client.state).toBe('online');
  expect(harness.client.conversations).toEqual([]);
  expect(harness.events.message).toEqual([]);
});
