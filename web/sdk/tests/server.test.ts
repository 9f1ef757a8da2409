/** Against a real server: what the fake socket of the other tests cannot know. Runs when `TEAHOUSE_BIN` names the binary. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { BINARY, Server } from '../../harness/server.ts';
import {
  ChatClient,
  group,
  plainText,
  room,
  text,
  user,
  type ClientEvents,
  type ConversationId,
  type Entry,
} from '../src/index.ts';

/** The next event that fits, from now on. The test's own timeout is the deadline. */
function next<Name extends keyof ClientEvents>(
  client: ChatClient,
  name: Name,
  fits: (event: ClientEvents[Name]) => boolean = () => true,
): Promise<ClientEvents[Name]> {
  return new Promise((resolve) => {
    const stop = client.on(name, (event) => {
      if (!fits(event)) return;
      stop();
      resolve(event);
    });
  });
}

const texts = (entries: readonly Entry[]) => entries.map((entry) => (entry.kind === 'message' ? plainText(entry) : ''));

describe.skipIf(!BINARY)('with a real server', { timeout: 60_000 }, () => {
  let server: Server;
  const clients: ChatClient[] = [];

  beforeAll(async () => void (server = await Server.start()), 60_000);
  afterEach(() => Promise.all(clients.splice(0).map((client) => client.logout())));
  afterAll(() => server.remove());

  /** Sockets of the newest clients, so that a test can break them. */
  let sockets: WebSocket[] = [];

  async function login(userId: string): Promise<ChatClient> {
    const kept: WebSocket[] = (sockets = []);
    class Socket extends WebSocket {
      constructor(url: string) {
        super(url);
        kept.push(this);
      }
    }
    const client = new ChatClient({
      sdkAppId: server.sdkAppId,
      url: `ws://${server.address}`,
      WebSocket: Socket,
    });
    clients.push(client);
    await client.login(userId, server.sign(userId));
    return client;
  }

  const tell = (client: ChatClient, to: ConversationId, content: string) =>
    client.send(client.compose(to, text(content)));
  const say = (client: ChatClient, to: string, content: string) => tell(client, user(to), content);

  test('two users chat, read, and look back', async () => {
    const alice = await login('alice');
    const bob = await login('bob');
    const received = next(bob, 'message');
    const sent = await say(alice, 'bob', 'lunch?');
    expect(await received).toEqual({ ...sent, conversation: 'user:alice' });
    expect(bob.conversation(user('alice'))).toMatchObject({ unread: 1, last: { from: 'alice', time: sent.time } });

    const read = next(alice, 'read');
    await bob.markRead(user('alice'));
    expect(bob.conversation(user('alice'))?.unread).toBe(0);
    expect(await read).toMatchObject({ conversation: 'user:bob', time: sent.time });

    for (let count = 1; count <= 5; count++) await say(bob, 'alice', `dish ${count}`);
    const newest = await alice.history(user('bob'), { limit: 4 });
    expect(texts(newest.entries)).toEqual(['dish 2', 'dish 3', 'dish 4', 'dish 5']);
    const oldest = await alice.history(user('bob'), { limit: 4, before: newest.older! });
    expect(texts(oldest.entries)).toEqual(['lunch?', 'dish 1']);
    expect(oldest.entries[0]).toMatchObject({ id: sent.id, time: sent.time, seq: sent.seq });
    expect(oldest.older).toBeUndefined();
  });

  test('who logs in finds the list with its unread messages', async () => {
    const carol = await login('carol');
    await login('dave').then((dave) => dave.logout());
    await say(carol, 'dave', 'one');
    await say(carol, 'dave', 'two');
    const dave = await login('dave');
    expect(dave.conversations).toMatchObject([{ id: 'user:carol', unread: 2, last: { from: 'carol' } }]);
  });

  test('a message that is sent twice is stored once', async () => {
    const erin = await login('erin');
    const frank = await login('frank');
    const message = erin.compose(user('frank'), text('once'));
    const first = await erin.send(message);
    expect(await erin.send(message)).toEqual(first);
    expect(texts((await frank.history(user('erin'))).entries)).toEqual(['once']);
  });

  test('after a broken connection what was missed is told once, in order', async () => {
    const grace = await login('grace');
    const heidi = await login('heidi');
    const told: string[] = [];
    heidi.on('message', (message) => told.push(plainText(message)));
    await say(grace, 'heidi', 'before');
    const away = next(heidi, 'state', (state) => state === 'connecting');
    sockets.at(-1)?.terminate();
    await away;
    const back = next(heidi, 'state', (state) => state === 'online');
    const last = next(heidi, 'message', (message) => plainText(message) === 'last');
    for (let count = 1; count <= 3; count++) await say(grace, 'heidi', `meanwhile ${count}`);
    // Sent while it is away: it goes out by itself.
    await say(heidi, 'grace', 'I am back');
    await back;
    await say(grace, 'heidi', 'last');
    await last;
    expect(told).toEqual(['before', 'meanwhile 1', 'meanwhile 2', 'meanwhile 3', 'last']);
    expect(heidi.conversation(user('grace'))?.unread).toBe(5);
  });

  test('a server that crashes and comes back loses nothing', async () => {
    const ivan = await login('ivan');
    const judy = await login('judy');
    await say(ivan, 'judy', 'stored');
    await server.kill();
    const sending = say(ivan, 'judy', 'sent into the dark');
    const received = next(judy, 'message', (message) => plainText(message) === 'sent into the dark');
    await server.start();
    await sending;
    await received;
    expect(texts((await judy.history(user('ivan'))).entries)).toEqual(['stored', 'sent into the dark']);
  });

  test('a login elsewhere ends this one', async () => {
    const first = await login('mallory');
    const kicked = next(first, 'kicked');
    await login('mallory');
    expect(await kicked).toEqual({ reason: 'otherLogin' });
    expect(first.state).toBe('offline');
  });

  test('members of a group see who comes, what is said, and who is removed', async () => {
    const owner = await login('nina');
    const member = await login('oscar');
    const id = await owner.groups.create({ type: 'public', name: 'Tea', joinOption: 'FreeAccess' });
    const joined = next(owner, 'tip');
    expect(await member.groups.join(id)).toBe('joined');
    expect(await joined).toMatchObject({ what: 'joined', members: ['oscar'], memberCount: 2 });

    const received = next(member, 'message');
    const sent = await tell(owner, group(id), 'welcome');
    expect(await received).toEqual(sent);
    expect(member.conversation(group(id))).toMatchObject({ name: 'Tea', unread: 1, last: { seq: sent.seq } });
    await member.markRead(group(id));
    expect(await member.groups.list()).toMatchObject([{ id, name: 'Tea', role: 'Member', lastSeq: sent.seq }]);
    const { members, total } = await owner.groups.members(id);
    expect(members.map(({ userId, role }) => [userId, role])).toEqual([
      ['nina', 'Owner'],
      ['oscar', 'Member'],
    ]);
    expect(total).toBe(2);

    const removed = next(member, 'notice', ({ what }) => what === 'kicked');
    await owner.groups.kick(id, ['oscar'], 'closing time');
    expect(await removed).toMatchObject({ groupId: id, operator: 'nina' });
    await expect(tell(member, group(id), 'but')).rejects.toMatchObject({ code: 10007 });

    const table = await owner.groups.create({ type: 'work', name: 'Kitchen' });
    // Nobody is told of a work group before its first message.
    await tell(owner, group(table), 'for friends');
    const invited = next(member, 'notice', ({ what }) => what === 'invited');
    expect(await owner.groups.invite(table, ['oscar'])).toEqual([{ userId: 'oscar', result: 'added' }]);
    expect(await invited).toMatchObject({ groupId: table, groupName: 'Kitchen', operator: 'nina' });
    await member.groups.quit(table);
    expect((await owner.groups.members(table)).total).toBe(1);

    await member.groups.join(id);
    const dismissed = next(member, 'notice', ({ what }) => what === 'dismissed');
    await owner.groups.dismiss(id);
    expect(await dismissed).toMatchObject({ groupId: id });
  });

  test('a history of a group is read page by page', async () => {
    const owner = await login('peggy');
    const id = await owner.groups.create({ type: 'work', name: 'Menu' });
    for (let count = 1; count <= 25; count++) await tell(owner, group(id), `dish ${count}`);
    const newest = await owner.history(group(id), { limit: 20 });
    expect(texts(newest.entries)).toEqual(Array.from({ length: 20 }, (_, index) => `dish ${index + 6}`));
    const oldest = await owner.history(group(id), { limit: 20, before: newest.older! });
    expect(texts(oldest.entries).slice(-5)).toEqual(['dish 1', 'dish 2', 'dish 3', 'dish 4', 'dish 5']);
    expect(oldest.older).toBeUndefined();
  });

  test('after a broken connection what was missed in a group is told once, in order', async () => {
    const owner = await login('quinn');
    const member = await login('rupert');
    const id = await owner.groups.create({ type: 'public', name: 'Tea', members: ['rupert'] });
    const told: string[] = [];
    member.on('message', (message) => told.push(plainText(message)));
    const first = next(member, 'message');
    await tell(owner, group(id), 'before');
    await first;
    const away = next(member, 'state', (state) => state === 'connecting');
    sockets.at(-1)?.terminate();
    await away;
    const last = next(member, 'message', (message) => plainText(message) === 'last');
    for (let count = 1; count <= 30; count++) await tell(owner, group(id), `meanwhile ${count}`);
    await tell(owner, group(id), 'last');
    await last;
    expect(told).toEqual(['before', ...Array.from({ length: 30 }, (_, index) => `meanwhile ${index + 1}`), 'last']);
    expect(member.conversation(group(id))?.unread).toBe(32);
    // The count of a new login is the server's.
    await member.logout();
    expect((await login('rupert')).conversation(group(id))?.unread).toBe(32);
  });

  test('viewers of a live room see every message once, and enter it again after a broken connection', async () => {
    const owner = await login('sybil');
    const id = await owner.rooms.create('Show');
    await owner.rooms.join(id);
    const viewer = await login('trent');
    await viewer.rooms.join(id);
    const told: string[] = [];
    viewer.on('message', (message) => told.push(plainText(message)));
    owner.on('message', (message) => told.push(`back to its sender: ${plainText(message)}`));
    const third = next(viewer, 'message', (message) => plainText(message) === 'three');
    await tell(owner, room(id), 'one');
    await tell(owner, room(id), 'two');
    await tell(owner, room(id), 'three');
    expect(await third).toMatchObject({ conversation: `room:${id}`, from: 'sybil' });
    expect(await owner.rooms.onlineCount(id)).toBe(2);

    const back = next(viewer, 'gap');
    sockets.at(-1)?.terminate();
    expect(await back).toEqual({ conversation: `room:${id}`, missed: 0 });
    const fourth = next(viewer, 'message');
    await tell(owner, room(id), 'four');
    await fourth;
    expect(told).toEqual(['one', 'two', 'three', 'four']);
    expect(viewer.conversations).toEqual([]);
    const ended = next(viewer, 'notice', ({ what }) => what === 'dismissed');
    await owner.groups.dismiss(id);
    await ended;
    expect(viewer.rooms.joined).toEqual([]);
  });

  test('a wrong signature is refused with the code of the server', async () => {
    const client = new ChatClient({
      sdkAppId: server.sdkAppId,
      url: `ws://${server.address}`,
      WebSocket: WebSocket,
    });
    await expect(client.login('alice', server.sign('bob'))).rejects.toMatchObject({ code: 70013 });
  });
});
