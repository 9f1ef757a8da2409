/** Accounts by REST: import, check, delete. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { cleanUpAfterwards, nowSeconds, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
});

/** @param {string[]} users */
async function statesOf(...users) {
  const { ResultItem } = await server.restOk('im_open_login_svc/account_check', {
    CheckItem: users.map((UserID) => ({ UserID })),
  });
  assert.deepEqual(
    ResultItem.map((/** @type {any} */ item) => [item.UserID, item.ResultCode]),
    users.map((user) => [user, 0]),
  );
  return ResultItem.map((/** @type {any} */ item) => item.AccountStatus);
}

describe('accounts', () => {
  test('an imported account is known, whichever name the field has, and may be imported again', async () => {
    const [first, second, ghost] = [userNamed('one'), userNamed('two'), userNamed('ghost')];
    await server.restOk('im_open_login_svc/account_import', { UserID: first });
    await server.restOk('im_open_login_svc/account_import', { Identifier: second });
    await server.restOk('im_open_login_svc/account_import', { UserID: first, Nick: 'again' });
    assert.deepEqual(await statesOf(first, second, ghost), ['Imported', 'Imported', 'NotImported']);
  });

  test('many are imported in one call, in the new form and the old', async () => {
    const users = Array.from({ length: 100 }, () => userNamed('many'));
    const fresh = await server.restOk('im_open_login_svc/multiaccount_import', {
      AccountList: users.slice(0, 50).map((UserID) => ({ UserID, Nick: UserID })),
    });
    assert.deepEqual(fresh.FailAccounts ?? [], []);
    const old = await server.restOk('im_open_login_svc/multiaccount_import', { Accounts: users.slice(50) });
    assert.deepEqual(old.FailAccounts ?? [], []);
    assert.deepEqual(new Set(await statesOf(...users)), new Set(['Imported']));
  });

  test('none, or more than 100, are refused with 70206', async () => {
    const users = Array.from({ length: 101 }, () => ({ UserID: userNamed('many') }));
    for (const AccountList of [[], users]) {
      const answer = await server.rest('im_open_login_svc/multiaccount_import', { AccountList });
      assert.equal(answer.ErrorCode, 70206, answer.ErrorInfo);
    }
  });

  test('a name that cannot be one is refused with 70402', async () => {
    for (const UserID of ['', 'x'.repeat(33), 'naïve', undefined]) {
      assert.equal((await server.rest('im_open_login_svc/account_import', { UserID })).ErrorCode, 70402, `${UserID}`);
    }
  });

  test('a deleted account is gone with its profile and messages; unknown ones fail alone', async () => {
    const [user, peer, ghost] = [userNamed('gone'), userNamed('peer'), userNamed('ghost')];
    await server.restOk('im_open_login_svc/multiaccount_import', {
      AccountList: [{ UserID: user, Nick: 'old' }, { UserID: peer }],
    });
    const message = {
      From_Account: peer,
      To_Account: user,
      MsgRandom: 1,
      MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'to the old one' } }],
    };
    await server.restOk('openim/sendmsg', message);
    const { ResultItem } = await server.restOk('im_open_login_svc/account_delete', {
      DeleteItem: [{ UserID: user }, { UserID: ghost }],
    });
    assert.deepEqual(
      ResultItem.map((/** @type {any} */ item) => [item.UserID, item.ResultCode]),
      [
        [user, 0],
        [ghost, 70107],
      ],
    );
    assert.deepEqual(await statesOf(user), ['NotImported']);
    assert.equal((await server.rest('openim/sendmsg', { ...message, MsgRandom: 2 })).ErrorCode, 90012);

    await server.restOk('im_open_login_svc/account_import', { UserID: user });
    const { UserProfileItem } = await server.restOk('profile/portrait_get', {
      To_Account: [user],
      TagList: ['Tag_Profile_IM_Nick'],
    });
    assert.equal(UserProfileItem[0].ProfileItem?.[0]?.Value ?? '', '');
    const history = await server.restOk('openim/admin_getroammsg', {
      Operator_Account: user,
      Peer_Account: peer,
      MaxCnt: 10,
      MinTime: 0,
      MaxTime: nowSeconds() + 60,
    });
    assert.deepEqual(history.MsgList, [], 'a namesake does not inherit');
    const cursors = { TimeStamp: 0, StartIndex: 0, TopTimeStamp: 0, TopStartIndex: 0, AssistFlags: 7 };
    assert.deepEqual(
      (await server.restOk('recentcontact/get_list', { From_Account: user, ...cursors })).SessionItem,
      [],
    );
  });

  test('a kick needs an account', async () => {
    assert.equal((await server.rest('im_open_login_svc/kick', { UserID: userNamed('ghost') })).ErrorCode, 70107);
  });
});
