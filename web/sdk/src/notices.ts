/** What the server tells about groups and the session itself. */
import { readNumber, readObject, readText, type Fields } from './wire/fields.ts';

/** Something about a group that concerns this user in particular. */
export interface GroupNotice {
  readonly groupId: string;
  readonly groupName: string;
  /**
   * `applied`: somebody asks to join (told to owner and admins); `accepted`, `refused`: the answer to one's own application;
   * `kicked`: removed by somebody; `dismissed`: the group is gone; `invited`: added by somebody; `quit`: left on another device.
   */
  readonly what:
    | 'applied'
    | 'accepted'
    | 'refused'
    | 'kicked'
    | 'dismissed'
    | 'created'
    | 'invited'
    | 'quit'
    | 'adminSet'
    | 'adminUnset'
    | 'recycled'
    | 'custom'
    | 'other';
  /** User id of who did it. */
  readonly operator: string;
  /** Text of an application, or the reason of an answer or a removal; may be empty. */
  readonly remark: string;
  /** Unix seconds. */
  readonly time: number;
  /** The whole notice as on the wire, for what is not above. */
  readonly details: Fields;
}

/** Why a session ended without a logout. */
export type KickReason =
  /** The same user logged in elsewhere, and the app does not allow both. */
  | 'otherLogin'
  /** The app's backend ended it. */
  | 'backend'
  /** The signature or the session is no longer valid: log in with a new one. */
  | 'expired';

const NOTICES: { readonly [reportType: number]: GroupNotice['what'] } = {
  1: 'applied',
  2: 'accepted',
  3: 'refused',
  4: 'kicked',
  5: 'dismissed',
  6: 'created',
  7: 'invited',
  8: 'quit',
  9: 'adminSet',
  10: 'adminUnset',
  11: 'recycled',
  255: 'custom',
};

export function readNotice(item: Fields): GroupNotice {
  const info = readObject(item, 'GroupInfo');
  const body = readObject(item, 'MsgBody');
  return {
    groupId: readText(info, 'GroupId') || readText(item, 'ToGroupId'),
    groupName: readText(info, 'GroupName'),
    what: NOTICES[readNumber(body, 'ReportType')] ?? 'other',
    operator: readText(body, 'Operator_Account'),
    remark: readText(body, 'RemarkInfo'),
    time: readNumber(item, 'MsgTimeStamp'),
    details: body,
  };
}

/** Whether a notice says that this user is not in the group any more. */
export function endsMembership(notice: GroupNotice): boolean {
  return ['kicked', 'dismissed', 'quit', 'recycled'].includes(notice.what);
}

export function readKick(kickType: number): KickReason {
  return kickType === 3 ? 'backend' : 'otherLogin';
}
