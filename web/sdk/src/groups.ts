/** Groups: making, entering and leaving them, and who is in. */
import type { Connection, RequestOptions } from './connection.ts';
import { ChatError, LocalCode } from './errors.ts';
import type { Inbox } from './inbox.ts';
import { readNumber, readObject, readObjects, readText, type Fields } from './wire/fields.ts';

/**
 * `work`: friends, by invitation. `public`: strangers, by application. `meeting`: anybody may enter and leave, the history is
 * kept. For live rooms see {@link Rooms}.
 */
export type GroupType = 'work' | 'public' | 'meeting';

/** What happens to somebody who asks to join. */
export type JoinOption = 'FreeAccess' | 'NeedPermission' | 'DisableApply';

export interface NewGroup {
  readonly type: GroupType;
  /** 1 to 100 bytes. */
  readonly name: string;
  /** An id of one's own choice; the server makes one if absent. */
  readonly id?: string;
  /** User ids of the first members, beside oneself. At most 100. */
  readonly members?: readonly string[];
  /** The default depends on the type. */
  readonly joinOption?: JoinOption;
}

/** A group that this user is in. */
export interface Group {
  readonly id: string;
  readonly name: string;
  /** As on the wire: `Private` (work), `Public`, `ChatRoom` (meeting), `Community`. */
  readonly type: string;
  readonly owner: string;
  readonly memberCount: number;
  /** Of this user: `Owner`, `Admin` or `Member`. */
  readonly role: string;
  /** Of the newest message; 0 before the first one. */
  readonly lastSeq: number;
}

export interface Member {
  readonly userId: string;
  /** `Owner`, `Admin` or `Member`. */
  readonly role: string;
  /** Unix seconds. */
  readonly joinTime: number;
  readonly nameCard: string;
}

/** What became of an invitation: the result for each user. */
export interface Invited {
  readonly userId: string;
  readonly result: 'added' | 'alreadyMember' | 'waitsForConsent' | 'failed';
}

const WIRE_TYPES: Record<GroupType, string> = { work: 'Private', public: 'Public', meeting: 'ChatRoom' };
const INVITED: readonly Invited['result'][] = ['failed', 'added', 'alreadyMember', 'waitsForConsent'];
const GROUPS_A_PAGE = 200;
/** Most groups that `list` reads: more than a user can be in. */
const GROUPS_MAX = 20_000;
const FILTER: Fields = {
  GroupBaseInfoFilter: ['Type', 'Name', 'Owner_Account', 'MemberNum', 'NextMsgSeq'],
  SelfInfoFilter: ['Role', 'JoinTime', 'MsgFlag', 'MsgSeq'],
};

/** Service and name of a group command. Communities have a service of their own, told by their id. */
export function groupCommand(groupId: string, name: string): string {
  return `${groupId.startsWith('@TGS#_') ? 'million_group' : 'group'}_open_http_svc.${name}`;
}

/** Makes a group or room with `owner`. Resolves with its id. */
export async function createGroup(connection: Connection, owner: string, fields: Fields): Promise<string> {
  const command = groupCommand('', 'create_group');
  const answer = await connection.request(command, { Owner_Account: owner, WebPushFlag: 1, ...fields });
  const groupId = readText(answer, 'GroupId');
  if (!groupId) throw new ChatError(LocalCode.BadAnswer, 'a new group without id', command);
  return groupId;
}

/** Asks to come into a group or room. */
export async function applyToJoin(
  connection: Connection,
  groupId: string,
  reason: string,
  options: RequestOptions = {},
): Promise<'joined' | 'pending'> {
  const command = groupCommand(groupId, 'apply_join_group');
  const answer = await connection.request(command, { GroupId: groupId, ApplyMsg: reason, WebPushFlag: 1 }, options);
  switch (answer.JoinedStatus) {
    case 'JoinedSuccess':
      return 'joined';
    case 'WaitAdminApproval':
      return 'pending';
    default:
      throw new ChatError(LocalCode.BadAnswer, `unknown JoinedStatus ${String(answer.JoinedStatus)}`, command);
  }
}

/** {@link ChatClient.groups}. Every method rejects with {@link ChatError} and the server's code when the server refuses. */
export class Groups {
  readonly #connection: Connection;
  readonly #inbox: Inbox;
  readonly #self: () => string;

  /** @internal */
  constructor(connection: Connection, inbox: Inbox, self: () => string) {
    this.#connection = connection;
    this.#inbox = inbox;
    this.#self = self;
  }

  /** Makes a group with oneself as owner. Resolves with its id. Members of a `work` group learn of it by its first message. */
  async create({ type, name, id, members = [], joinOption }: NewGroup): Promise<string> {
    const groupId = await createGroup(this.#connection, this.#self(), {
      Type: WIRE_TYPES[type],
      Name: name,
      ...(id && { GroupId: id }),
      ...(members.length > 0 && { MemberList: members.map((userId) => ({ Member_Account: userId })) }),
      ...(joinOption && { ApplyJoinOption: joinOption }),
    });
    this.#inbox.groupBegins(groupId);
    return groupId;
  }

  /** Asks to join. `pending`: owner or admins have to agree; the answer comes as event `notice`. */
  async join(groupId: string, reason = ''): Promise<'joined' | 'pending'> {
    return applyToJoin(this.#connection, groupId, reason);
  }

  /** Leaves a group. An owner cannot leave: he dismisses it. */
  async quit(groupId: string): Promise<void> {
    await this.#on(groupId, 'quit_group');
    this.#inbox.forgetGroup(groupId);
  }

  /** Ends a group, for the owner only. */
  async dismiss(groupId: string): Promise<void> {
    await this.#on(groupId, 'destroy_group');
    this.#inbox.forgetGroup(groupId);
  }

  /** Adds users, where the type of group lets members do so: to `work` groups. */
  async invite(groupId: string, userIds: readonly string[]): Promise<Invited[]> {
    const members = userIds.map((userId) => ({ Member_Account: userId }));
    const answer = await this.#on(groupId, 'add_group_member', { MemberList: members });
    return readObjects(answer, 'MemberList').map((item) => ({
      userId: readText(item, 'Member_Account'),
      result: INVITED[readNumber(item, 'Result')] ?? 'failed',
    }));
  }

  /** Removes members, for owner and admins. */
  async kick(groupId: string, userIds: readonly string[], reason = ''): Promise<void> {
    await this.#on(groupId, 'delete_group_member', { MemberToDel_Account: userIds, Reason: reason });
  }

  /** All groups that this user is in, without live rooms. */
  async list(): Promise<Group[]> {
    const groups: Group[] = [];
    while (groups.length < GROUPS_MAX) {
      const answer = await this.#connection.request(groupCommand('', 'get_joined_group_list'), {
        Member_Account: this.#self(),
        Limit: GROUPS_A_PAGE,
        Offset: groups.length,
        ResponseFilter: FILTER,
      });
      const page = readObjects(answer, 'GroupIdList');
      groups.push(...page.map(readGroupItem));
      if (page.length === 0 || groups.length >= readNumber(answer, 'TotalCount')) break;
    }
    return groups;
  }

  /** One group as this user sees it. */
  async get(groupId: string): Promise<Group> {
    const command = groupCommand(groupId, 'get_group_self_member_info');
    const { GroupBaseInfoFilter, SelfInfoFilter: MemberInfoFilter } = FILTER;
    const answer = await this.#connection.request(command, {
      GroupIdList: [groupId],
      ResponseFilter: { GroupBaseInfoFilter, MemberInfoFilter },
    });
    const item = readObjects(answer, 'GroupInfo')[0];
    if (!item) throw new ChatError(LocalCode.BadAnswer, 'an answer without the group', command);
    const code = readNumber(item, 'ErrorCode');
    if (code !== 0) throw new ChatError(code, readText(item, 'ErrorInfo') || `error ${code}`, command);
    return readGroupItem(item);
  }

  /** One page of the members: at most 100 from `offset` on, and how many there are in all. */
  async members(
    groupId: string,
    { offset = 0, limit = 100 }: { offset?: number; limit?: number } = {},
  ): Promise<{ members: Member[]; total: number }> {
    const answer = await this.#on(groupId, 'get_group_member_info', {
      Limit: Math.min(Math.max(limit, 1), 100),
      Offset: offset,
      MemberInfoFilter: ['Role', 'JoinTime', 'NameCard'],
    });
    const members = readObjects(answer, 'MemberList').map((item) => ({
      userId: readText(item, 'Member_Account'),
      role: readText(item, 'Role'),
      joinTime: readNumber(item, 'JoinTime'),
      nameCard: readText(item, 'NameCard'),
    }));
    return { members, total: readNumber(answer, 'MemberNum') };
  }

  #on(groupId: string, name: string, fields: Fields = {}): Promise<Fields> {
    return this.#connection.request(groupCommand(groupId, name), { GroupId: groupId, ...fields });
  }
}

function readGroupItem(item: Fields): Group {
  return {
    id: readText(item, 'GroupId'),
    name: readText(item, 'Name'),
    type: readText(item, 'Type'),
    owner: readText(item, 'Owner_Account'),
    memberCount: readNumber(item, 'MemberNum'),
    role: readText(readObject(item, 'SelfInfo'), 'Role') || readText(readObjects(item, 'MemberList')[0] ?? {}, 'Role'),
    lastSeq: Math.max(0, readNumber(item, 'NextMsgSeq') - 1),
  };
}
