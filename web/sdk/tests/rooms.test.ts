import { expect, test } from 'vitest';
import { LocalCode, plainText, room, ROOMS_MAX, text } from '../src/index.ts';
import { groupEvent, groupMessage, Harness, settle } from './harness.ts';

const SERVICE = 'group_open_http_svc';
const JOIN = `${SERVICE}.apply_join_group`;

async function inRoom(): Promise<Harness> {
  const harness = new Harness();
  harness.answers[JOIN] = () => ({ JoinedStatus: 'JoinedSuccess', HugeGroupFlag: 1 });
  await harness.login();
  await harness.client.rooms.join('live');
  return harness;
}

const live = (seq: number, content: string, from = 'bob') => groupMessage('live', seq, content, 'AVChatRoom', from);
const told = (harness: Harness) => harness.events.message.map(plainText);
const joins = (harness: Harness) => harness.socket.commands().filter((command) => command === JOIN).length;

test('messages of a room come several in a frame, and each is told once', async () => {
  const harness = await inRoom();
  harness.socket.push(groupEvent(live(5, 'a'), live(6, 'b'), live(5, 'a')));
  harness.socket.push(groupEvent(live(6, 'b'), live(9, 'c')));
  expect(told(harness)).toEqual(['a', 'b', 'c']);
  expect(harness.events.message[0]).toMatchObject({ conversation: 'room:live', from: 'bob' });
});

test('the same place with another random number is another message', async () => {
  const harness = await inRoom();
  harness.socket.push(groupEvent(live(5, 'a'), { ...live(5, 'b'), MsgRandom: 4 }));
  expect(told(harness)).toEqual(['a', 'b']);
});

test('a room is not in the list, has no unread messages, and gaps in it are not fetched', async () => {
  const harness = await inRoom();
  harness.socket.push(groupEvent(live(5, 'a')));
  harness.socket.push(groupEvent(live(500, 'b')));
  await settle();
  expect(told(harness)).toEqual(['a', 'b']);
  expect(harness.client.conversations).toEqual([]);
  expect(harness.socket.commands()).not.toContain(`${SERVICE}.group_msg_get`);
});

test('messages are sent to a room as to a group, and do not come back', async () => {
  const harness = await inRoom();
  harness.answers[`${SERVICE}.send_group_msg`] = () => ({ MsgTime: 1_795_390_050, MsgSeq: 8 });
  const message = harness.client.compose(room('live'), text('hello'), { priority: 'Low' });
  const sent = await harness.client.send(message);
  expect(sent).toMatchObject({ conversation: 'room:live', seq: 8, priority: 'Low' });
  const echo = { ...live(8, 'hello', 'alice'), MsgRandom: message.random, MsgClientTime: message.clientTime };
  harness.socket.push(groupEvent({ ...echo, TinyId: '144115200000000001' }));
  expect(told(harness)).toEqual([]);
  expect(harness.client.conversations).toEqual([]);
});

test('tips of a room are told', async () => {
  const harness = await inRoom();
  const tip = { ...live(3, ''), MsgBody: { OpType: 1, Operator_Account: 'carol', List_Account: ['carol'] } };
  harness.socket.push({ Event: 4, GroupTips: [tip] }, { Event: 4, GroupTips: [tip] });
  expect(harness.events.tip).toMatchObject([{ conversation: 'room:live', what: 'joined', operator: 'carol' }]);
});

test('after a reconnect the room is entered again, and what was missed is told as a gap', async () => {
  const harness = await inRoom();
  await harness.reconnect();
  expect(joins(harness)).toBe(1);
  expect(harness.events.gap).toEqual([{ conversation: 'room:live', missed: 0 }]);
  await harness.reconnect();
  expect(joins(harness)).toBe(1);
});

test('a connection that is lost meanwhile is no reason to enter a room twice', async () => {
  const harness = await inRoom();
  const answer = harness.answers[JOIN]!;
  harness.answers[JOIN] = () => undefined;
  const socket = harness.socket;
  socket.lose();
  await harness.clock.advance(6_000);
  expect(harness.socket).not.toBe(socket);
  expect(joins(harness)).toBe(1);
  harness.answers[JOIN] = answer;
  harness.socket.lose();
  await harness.clock.advance(6_000);
  expect(joins(harness)).toBe(1);
  expect(harness.events.gap).toHaveLength(1);
});

test('a room that refuses is not entered again', async () => {
  const harness = await inRoom();
  harness.answers[JOIN] = () => ({ ErrorCode: 10010 });
  await harness.reconnect();
  expect(harness.client.rooms.joined).toEqual([]);
  expect(harness.events.gap).toEqual([]);
  await harness.reconnect();
  expect(joins(harness)).toBe(0);
});

test('a room that was left is not entered again', async () => {
  const harness = await inRoom();
  harness.answers[`${SERVICE}.quit_group`] = () => ({});
  await harness.client.rooms.quit('live');
  expect(harness.socket.last(`${SERVICE}.quit_group`).body).toEqual({ GroupId: 'live' });
  await harness.reconnect();
  expect(joins(harness)).toBe(0);
});

test('a room that is dismissed is left', async () => {
  const harness = await inRoom();
  const GroupInfo = { GroupId: 'live', GroupType: 'AVChatRoom' };
  harness.socket.push({ Event: 5, GroupTips: [{ GroupInfo, MsgBody: { ReportType: 5, Operator_Account: 'bob' } }] });
  expect(harness.events.notice).toMatchObject([{ groupId: 'live', what: 'dismissed' }]);
  expect(harness.client.rooms.joined).toEqual([]);
});

test('a room is made, and its viewers are counted', async () => {
  const harness = await inRoom();
  harness.answers[`${SERVICE}.create_group`] = () => ({ GroupId: 'new' });
  harness.answers[`${SERVICE}.get_online_member_num`] = () => ({ OnlineMemberNum: 42 });
  expect(await harness.client.rooms.create('Show', { id: 'new' })).toBe('new');
  expect(harness.socket.last(`${SERVICE}.create_group`).body).toMatchObject({ Type: 'AVChatRoom', GroupId: 'new' });
  expect(harness.client.rooms.joined).toEqual(['live']);
  expect(await harness.client.rooms.onlineCount('new')).toBe(42);
});

test('a client is in a bounded number of rooms', async () => {
  const harness = await inRoom();
  for (let count = 1; count < ROOMS_MAX; count++) await harness.client.rooms.join(`live${count}`);
  await expect(harness.client.rooms.join('one more')).rejects.toMatchObject({ code: LocalCode.BadArgument });
  await harness.client.rooms.join('live');
  expect(harness.client.rooms.joined).toHaveLength(ROOMS_MAX);
});
