import { expect, test } from 'vitest';
import { group, LocalCode, plainText, text, type Entry } from '../src/index.ts';
import type { Fields } from '../src/wire/fields.ts';
import { groupEvent, groupMessage, Harness, settle } from './harness.ts';

const SERVICE = 'group_open_http_svc';

async function loggedIn(): Promise<Harness> {
  const harness = new Harness();
  await harness.login();
  return harness;
}

/** A server whose group `g` has the messages `m1`, `m2`, … through `last`, and answers history as the protocol says. */
function serveHistory(harness: Harness, last: number): void {
  harness.answers[`${SERVICE}.group_msg_get`] = ({ body }) => {
    const highest = Math.min(Number(body.ReqMsgSeq), last);
    const lowest = Math.max(1, highest - Number(body.ReqMsgNumber) + 1);
    const seqs = Array.from({ length: highest - lowest + 1 }, (_, index) => highest - index);
    return {
      GroupId: 'g',
      RspMsgList: seqs.map((seq) => groupMessage('g', seq, `m${seq}`)),
      IsFinished: lowest === 1 ? 2 : 1,
      NextReqMsgSeq: lowest - 1,
    };
  };
}

const told = (harness: Harness) => harness.events.message.map((message) => message.seq);
const shown = (entries: readonly Entry[]) =>
  entries.map((entry) => (entry.kind === 'tip' ? entry.what : plainText(entry)));

function tipEvent(event: number, groupId: string, seq: number, body: Fields): Fields {
  return {
    Event: event,
    GroupTips: [{ ...groupMessage(groupId, seq, ''), From_Account: '@TIM#SYSTEM', MsgBody: body }],
  };
}

test('a message is sent with the fields of the protocol and gets its place', async () => {
  const harness = await loggedIn();
  harness.answers[`${SERVICE}.send_group_msg`] = () => ({ MsgTime: 1_795_390_050, MsgSeq: 4 });
  const message = harness.client.compose(group('g'), text('hello'), { priority: 'High', customData: 'x' });
  const sent = await harness.client.send(message);
  expect(harness.socket.last(`${SERVICE}.send_group_msg`).body).toEqual({
    From_Account: 'alice',
    GroupId: 'g',
    Random: message.random,
    ClientSeq: message.random,
    MsgPriority: 'High',
    MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'hello' } }],
    CloudCustomData: 'x',
    OnlineOnlyFlag: 0,
    MsgClientTime: 1_795_390_000,
  });
  expect(sent).toEqual({ ...message, time: 1_795_390_050, seq: 4 });
  expect(harness.client.conversation(group('g'))?.last).toMatchObject({ from: 'alice', seq: 4 });
});

test('a community has a service of its own', async () => {
  const harness = await loggedIn();
  harness.answers['million_group_open_http_svc.quit_group'] = () => ({});
  await harness.client.groups.quit('@TGS#_1');
  expect(harness.socket.last('million_group_open_http_svc.quit_group').body).toEqual({ GroupId: '@TGS#_1' });
});

test('messages are told in order, once, and counted as unread', async () => {
  const harness = await loggedIn();
  harness.socket.push(
    groupEvent(groupMessage('g', 1, 'a'), groupMessage('g', 2, 'b')),
    groupEvent(groupMessage('g', 2, 'b')),
  );
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a'), groupMessage('g', 3, 'c')));
  expect(told(harness)).toEqual([1, 2, 3]);
  expect(harness.events.message[0]).toMatchObject({ conversation: 'group:g', from: 'bob', priority: 'Normal' });
  expect(harness.client.conversation(group('g'))).toMatchObject({ name: 'tea', unread: 3, last: { seq: 3 } });
});

test('a gap is fetched, and what is behind it waits', async () => {
  const harness = await loggedIn();
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a')));
  harness.socket.push(groupEvent(groupMessage('g', 4, 'd')));
  expect(told(harness)).toEqual([1]);
  const request = harness.socket.last(`${SERVICE}.group_msg_get`);
  expect(request.body).toEqual({ GroupId: 'g', ReqMsgSeq: 3, ReqMsgNumber: 2, WithRecalledMsg: 1 });
  harness.socket.push(groupEvent(groupMessage('g', 5, 'e')));
  expect(told(harness)).toEqual([1]);
  harness.socket.reply(request, {
    RspMsgList: [groupMessage('g', 3, 'c'), groupMessage('g', 2, 'b')],
    IsFinished: 1,
    NextReqMsgSeq: 1,
  });
  await settle();
  expect(told(harness)).toEqual([1, 2, 3, 4, 5]);
  expect(harness.events.gap).toEqual([]);
  expect(harness.client.conversation(group('g'))?.unread).toBe(5);
});

test('a long gap is fetched page by page', async () => {
  const harness = await loggedIn();
  serveHistory(harness, 60);
  harness.socket.push(groupEvent(groupMessage('g', 1, 'm1')));
  harness.socket.push(groupEvent(groupMessage('g', 60, 'm60')));
  await settle();
  expect(told(harness)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
  const requests = harness.socket.sent.filter(({ head }) => head.servcmd.endsWith('group_msg_get'));
  expect(requests.map(({ body }) => [body.ReqMsgSeq, body.ReqMsgNumber])).toEqual([
    [59, 20],
    [39, 20],
    [19, 18],
  ]);
});

test('places that are holes are passed over', async () => {
  const harness = await loggedIn();
  harness.answers[`${SERVICE}.group_msg_get`] = () => ({
    RspMsgList: [{ ...groupMessage('g', 3, ''), IsPlaceMsg: 1, MsgBody: [] }],
    IsFinished: 1,
    NextReqMsgSeq: 1,
  });
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a')), groupEvent(groupMessage('g', 4, 'd')));
  await settle();
  expect(told(harness)).toEqual([1, 4]);
});

test.each([
  ['is too large', 400],
  ['cannot be fetched', 4],
])('a gap that %s is told', async (_name, seq) => {
  const harness = await loggedIn();
  harness.answers[`${SERVICE}.group_msg_get`] = () => ({ ErrorCode: 10007 });
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a')));
  harness.socket.push(groupEvent(groupMessage('g', seq, 'd')));
  await settle();
  expect(told(harness)).toEqual([1, seq]);
  expect(harness.events.gap).toEqual([{ conversation: 'group:g', missed: seq - 2 }]);
});

test('after a reconnect what was missed is fetched by the places that the list of groups names', async () => {
  const harness = await loggedIn();
  serveHistory(harness, 5);
  harness.socket.push(groupEvent(groupMessage('g', 1, 'm1'), groupMessage('g', 2, 'm2')));
  harness.answers[`${SERVICE}.get_joined_group_list`] = () => ({
    TotalCount: 2,
    GroupIdList: [
      { GroupId: 'g', Type: 'Public', NextMsgSeq: 6 },
      { GroupId: 'new', Type: 'Public', NextMsgSeq: 900 },
    ],
  });
  await harness.reconnect();
  expect(told(harness)).toEqual([1, 2, 3, 4, 5]);
  expect(harness.client.conversation(group('g'))?.unread).toBe(5);
  // Nobody was in that group before: its history is not news, its next message is.
  harness.socket.push(groupEvent(groupMessage('new', 900, 'first')));
  expect(told(harness)).toEqual([1, 2, 3, 4, 5, 900]);
});

test('a list that counts unread messages counts the missed ones too', async () => {
  const harness = await loggedIn();
  serveHistory(harness, 4);
  harness.socket.push(groupEvent(groupMessage('g', 1, 'm1')));
  harness.answers['recentcontact.page_get'] = () => ({
    CompleteFlag: 1,
    SessionItem: [
      {
        Type: 2,
        ToAccount: 'g',
        GroupNick: 'Tea',
        MsgTime: 1_795_390_004,
        MsgSeq: 4,
        MsgGroupFrom_Account: 'bob',
        LastMsg: { MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'm4' } }] },
        UnreadMsgCount: 5,
        GroupIgnoredUnreadSeqCount: 1,
        GroupNextMsgSeq: 5,
      },
    ],
  });
  await harness.reconnect();
  expect(told(harness)).toEqual([1, 2, 3, 4]);
  expect(harness.client.conversation(group('g'))).toMatchObject({ name: 'Tea', unread: 4, last: { seq: 4 } });
  harness.socket.push(groupEvent(groupMessage('g', 5, 'm5')));
  expect(harness.client.conversation(group('g'))?.unread).toBe(5);
});

test('the list of groups is read page by page', async () => {
  const harness = await loggedIn();
  const all = Array.from({ length: 201 }, (_, index) => ({
    GroupId: `g${index}`,
    Type: 'Public',
    Name: 'n',
    Owner_Account: 'o',
    MemberNum: 3,
    NextMsgSeq: 1,
    SelfInfo: { Role: 'Admin' },
  }));
  harness.answers[`${SERVICE}.get_joined_group_list`] = ({ body }) => ({
    TotalCount: all.length,
    GroupIdList: all.slice(Number(body.Offset), Number(body.Offset) + Number(body.Limit)),
  });
  const groups = await harness.client.groups.list();
  expect(groups).toHaveLength(201);
  expect(groups[200]).toEqual({
    id: 'g200',
    name: 'n',
    type: 'Public',
    owner: 'o',
    memberCount: 3,
    role: 'Admin',
    lastSeq: 0,
  });
});

test('a new group begins with its first message', async () => {
  const harness = await loggedIn();
  harness.answers[`${SERVICE}.create_group`] = () => ({ GroupId: 'g' });
  serveHistory(harness, 2);
  const id = await harness.client.groups.create({ type: 'work', name: 'Tea', members: ['bob'], id: 'g' });
  expect(id).toBe('g');
  expect(harness.socket.last(`${SERVICE}.create_group`).body).toEqual({
    Type: 'Private',
    Name: 'Tea',
    Owner_Account: 'alice',
    WebPushFlag: 1,
    GroupId: 'g',
    MemberList: [{ Member_Account: 'bob' }],
  });
  harness.socket.push(groupEvent(groupMessage('g', 2, 'm2')));
  await settle();
  expect(told(harness)).toEqual([1, 2]);
});

test.each([
  ['JoinedSuccess', 'joined'],
  ['WaitAdminApproval', 'pending'],
])('a join that is answered with %s is %s', async (JoinedStatus, expected) => {
  const harness = await loggedIn();
  harness.answers[`${SERVICE}.apply_join_group`] = () => ({ JoinedStatus });
  expect(await harness.client.groups.join('g', 'please')).toBe(expected);
  expect(harness.socket.last(`${SERVICE}.apply_join_group`).body).toMatchObject({ GroupId: 'g', ApplyMsg: 'please' });
});

test('a join with an unknown answer is refused', async () => {
  const harness = await loggedIn();
  harness.answers[`${SERVICE}.apply_join_group`] = () => ({ JoinedStatus: 'Maybe' });
  await expect(harness.client.groups.join('g')).rejects.toMatchObject({ code: LocalCode.BadAnswer });
});

test('invitations, removals and members', async () => {
  const harness = await loggedIn();
  harness.answers[`${SERVICE}.add_group_member`] = () => ({
    MemberList: [
      { Member_Account: 'bob', Result: 1 },
      { Member_Account: 'carol', Result: 2 },
      { Member_Account: 'dave', Result: 0 },
    ],
  });
  harness.answers[`${SERVICE}.delete_group_member`] = () => ({});
  harness.answers[`${SERVICE}.get_group_member_info`] = () => ({
    MemberNum: 2,
    MemberList: [{ Member_Account: 'alice', Role: 'Owner', JoinTime: 5, NameCard: 'A' }],
  });
  expect(await harness.client.groups.invite('g', ['bob', 'carol', 'dave'])).toEqual([
    { userId: 'bob', result: 'added' },
    { userId: 'carol', result: 'alreadyMember' },
    { userId: 'dave', result: 'failed' },
  ]);
  await harness.client.groups.kick('g', ['bob'], 'noise');
  expect(harness.socket.last(`${SERVICE}.delete_group_member`).body).toEqual({
    GroupId: 'g',
    MemberToDel_Account: ['bob'],
    Reason: 'noise',
  });
  expect(await harness.client.groups.members('g', { limit: 1000, offset: 1 })).toEqual({
    members: [{ userId: 'alice', role: 'Owner', joinTime: 5, nameCard: 'A' }],
    total: 2,
  });
  expect(harness.socket.last(`${SERVICE}.get_group_member_info`).body).toMatchObject({ Limit: 100, Offset: 1 });
});

test('a group that cannot be read rejects with its own code', async () => {
  const harness = await loggedIn();
  harness.answers[`${SERVICE}.get_group_self_member_info`] = () => ({
    GroupInfo: [{ GroupId: 'g', ErrorCode: 10010, ErrorInfo: 'gone' }],
  });
  await expect(harness.client.groups.get('g')).rejects.toMatchObject({ code: 10010, message: 'gone' });
});

test('a history is read page by page, oldest entry first', async () => {
  const harness = await loggedIn();
  serveHistory(harness, 5);
  harness.answers[`${SERVICE}.get_group_self_member_info`] = () => ({ GroupInfo: [{ GroupId: 'g', NextMsgSeq: 6 }] });
  const first = await harness.client.history(group('g'), { limit: 3 });
  expect(shown(first.entries)).toEqual(['m3', 'm4', 'm5']);
  const second = await harness.client.history(group('g'), { limit: 3, before: first.older! });
  expect(shown(second.entries)).toEqual(['m1', 'm2']);
  expect(second.older).toBeUndefined();
});

test('a history holds tips and leaves holes out', async () => {
  const harness = await loggedIn();
  harness.answers[`${SERVICE}.group_msg_get`] = () => ({
    RspMsgList: [
      groupMessage('g', 3, 'm3'),
      { ...groupMessage('g', 2, ''), IsPlaceMsg: 1, MsgBody: [] },
      { ...groupMessage('g', 1, ''), MsgBody: { OpType: 1, Operator_Account: 'bob', List_Account: ['bob'] } },
    ],
    IsFinished: 2,
  });
  harness.socket.push(groupEvent(groupMessage('g', 3, 'm3')));
  const { entries, older } = await harness.client.history(group('g'));
  expect(shown(entries)).toEqual(['joined', 'm3']);
  expect(older).toBeUndefined();
});

test('marking as read tells the last place', async () => {
  const harness = await loggedIn();
  harness.answers[`${SERVICE}.msg_read_report`] = () => ({});
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a'), groupMessage('g', 2, 'b')));
  await harness.client.markRead(group('g'));
  expect(harness.socket.last(`${SERVICE}.msg_read_report`).body).toEqual({ GroupId: 'g', MsgReadedSeq: 2 });
  expect(harness.client.conversation(group('g'))?.unread).toBe(0);
});

test('what was read on another device is read here', async () => {
  const harness = await loggedIn();
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a')));
  const body = { ReportType: 15, GroupReadInfoArray: [{ GroupId: 'g', LastReadMsgSeq: 1 }] };
  harness.socket.push({ Event: 5, GroupTips: [{ Event: 5, MsgBody: body }] });
  expect(harness.client.conversation(group('g'))?.unread).toBe(0);
  expect(harness.events.notice).toEqual([]);
});

test('a tip has a place in the order and is told as such', async () => {
  const harness = await loggedIn();
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a')));
  const body = { OpType: 3, Operator_Account: 'bob', List_Account: ['carol'], MemberNum: 2 };
  harness.socket.push(tipEvent(4, 'g', 2, body), tipEvent(4, 'g', 2, body));
  expect(harness.events.tip).toEqual([
    {
      kind: 'tip',
      conversation: 'group:g',
      what: 'kicked',
      operator: 'bob',
      members: ['carol'],
      memberCount: 2,
      details: body,
      time: 1_795_390_002,
      seq: 2,
    },
  ]);
  expect(harness.client.conversation(group('g'))).toMatchObject({
    unread: 1,
    last: { from: 'bob', elements: [], seq: 2 },
  });
  harness.socket.push(groupEvent(groupMessage('g', 3, 'c')));
  expect(told(harness)).toEqual([1, 3]);
});

test('a passing tip has no place', async () => {
  const harness = await loggedIn();
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a')));
  harness.socket.push(tipEvent(6, 'g', 99, { OpType: 6, MsgGroupNewInfo: {} }));
  harness.socket.push(groupEvent(groupMessage('g', 2, 'b')));
  expect(harness.events.tip).toHaveLength(1);
  expect(told(harness)).toEqual([1, 2]);
});

test('a mention, which comes in addition to its message, is no tip', async () => {
  const harness = await loggedIn();
  const GroupAtTips = { From_Account: 'bob', GroupId: 'g', AtMsgSeq: 3, AtFlagList: [1] };
  harness.socket.push({ Event: 12, GroupTips: [{ From_Account: 'bob', GroupAtTips }] });
  expect(harness.events.tip).toEqual([]);
});

test('a notice is told, and being removed ends the order of the group', async () => {
  const harness = await loggedIn();
  harness.socket.push(groupEvent(groupMessage('g', 7, 'a')));
  const MsgBody = { ReportType: 4, Operator_Account: 'bob', RemarkInfo: 'noise' };
  const GroupInfo = { GroupId: 'g', GroupName: 'tea', GroupType: 'Public' };
  harness.socket.push({ Event: 5, GroupTips: [{ Event: 5, MsgTimeStamp: 9, GroupInfo, MsgBody }] });
  expect(harness.events.notice).toEqual([
    { groupId: 'g', groupName: 'tea', what: 'kicked', operator: 'bob', remark: 'noise', time: 9, details: MsgBody },
  ]);
  // Invited again much later: what was said meanwhile is not ours.
  harness.socket.push(groupEvent(groupMessage('g', 90, 'welcome back')));
  expect(told(harness)).toEqual([7, 90]);
  expect(harness.socket.commands()).not.toContain(`${SERVICE}.group_msg_get`);
});

test('an own message that the server sends back is not told and keeps its place', async () => {
  const harness = await loggedIn();
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a')));
  const message = harness.client.compose(group('g'), text('mine'));
  const sending = harness.client.send(message);
  await settle();
  const echo = {
    ...groupMessage('g', 2, 'mine', 'Public', 'alice'),
    MsgRandom: message.random,
    MsgClientTime: message.clientTime,
    TinyId: '144115200000000001',
  };
  harness.socket.push(groupEvent(echo));
  harness.socket.reply(harness.socket.last(`${SERVICE}.send_group_msg`), { MsgTime: 1_795_390_050, MsgSeq: 2 });
  await sending;
  harness.socket.push(groupEvent(groupMessage('g', 3, 'c')));
  expect(told(harness)).toEqual([1, 3]);
  expect(harness.client.conversation(group('g'))?.unread).toBe(2);
});

test('an own message is no gap', async () => {
  const harness = await loggedIn();
  harness.answers[`${SERVICE}.send_group_msg`] = () => ({ MsgTime: 1_795_390_050, MsgSeq: 2 });
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a')));
  await harness.client.send(harness.client.compose(group('g'), text('mine')));
  harness.socket.push(groupEvent(groupMessage('g', 3, 'c')));
  expect(told(harness)).toEqual([1, 3]);
  expect(harness.socket.commands()).not.toContain(`${SERVICE}.group_msg_get`);
});

test('a server whose pages do not get on is not asked for ever', async () => {
  const harness = await loggedIn();
  let asked = 0;
  harness.answers[`${SERVICE}.group_msg_get`] = ({ body }) => {
    asked += 1;
    if (asked > 10) throw new Error('asked for ever');
    return { RspMsgList: [], IsFinished: 1, NextReqMsgSeq: body.ReqMsgSeq };
  };
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a')), groupEvent(groupMessage('g', 4, 'd')));
  await settle();
  expect(told(harness)).toEqual([1, 4]);
  expect(asked).toBe(2);
});

test('a fetch of a session that is over is not told', async () => {
  const harness = await loggedIn();
  harness.socket.push(groupEvent(groupMessage('g', 1, 'a')));
  harness.socket.push(groupEvent(groupMessage('g', 3, 'c')));
  await harness.client.logout();
  await settle();
  expect(told(harness)).toEqual([1]);
  expect(harness.events.gap).toEqual([]);
});
