/** Groups as owner, admin and member see them: making, finding, joining, leaving, roles, mutes, profiles. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  NOTICE,
  SDKS,
  TIP,
  TYPE,
  cleanUpAfterwards,
  heardIn,
  isNotice,
  isTip,
  knows,
  notice,
  nowSeconds,
  refusedWith,
  sayIn,
  startServer,
  tip,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
});

/** What the packages refuse before they ask the server. */
const BY_ITSELF = { joinWork: 2601, dismissWork: 2622, notOwner: 2681, memberRole: 2682, noGroup: 2603 };

/** @param {import('./harness/client.js').Client} client @returns {Promise<any[]>} */
const groupsOf = async (client) => (await client.call('getGroupList')).data.groupList;

/** @param {import('./harness/client.js').Client} client @param {string} groupID @returns {Promise<any>} */
const profileOf = async (client, groupID) => (await client.call('getGroupProfile', { groupID })).data.group;

/** @param {import('./harness/client.js').Client} client @param {string} groupID @returns {Promise<any[]>} */
const membersOf = async (client, groupID) =>
  (await client.call('getGroupMemberList', { groupID, count: 100 })).data.memberList;

/** Whether the server has the group's conversation in somebody's list. @param {string} user @param {string} groupID */
async function isListedFor(user, groupID) {
  const cursors = { TimeStamp: 0, StartIndex: 0, TopTimeStamp: 0, TopStartIndex: 0, AssistFlags: 7 };
  const { SessionItem } = await server.restOk('recentcontact/get_list', { From_Account: user, ...cursors });
  return SessionItem.some((/** @type {any} */ item) => item.GroupId === groupID);
}

/** Role by user, as the package lists the members. @param {import('./harness/client.js').Client} client @param {string} groupID */
async function rolesIn(client, groupID) {
  const members = await membersOf(client, groupID);
  return Object.fromEntries(members.map(({ userID, role }) => [userID, role]));
}

describe('groups', { concurrency: true }, () => {
  for (const sdk of SDKS) {
    describe(`with ${sdk}`, { concurrency: false }, () => {
      /** @type {import('./harness/client.js').Client} */ let owner;
      /** @type {import('./harness/client.js').Client} */ let admin;
      /** @type {import('./harness/client.js').Client} */ let member;
      let groups = 0;

      before(async () => {
        [owner, admin, member] = await Promise.all(
          ['owner', 'admin', 'member'].map((name) => server.startClient({ sdk, user: userNamed(name) })),
        );
      });

      /** @param {string} name */
      function groupNamed(name) {
        groups += 1;
        return `${name}-${sdk}-${groups}`;
      }

      /**
       * A group of the three, with their roles.
       *
       * @param {object} [options] As `createGroup` takes them.
       */
      async function trio(options) {
        const groupID = groupNamed('trio');
        const memberList = [{ userID: admin.user }, { userID: member.user }];
        await owner.call('createGroup', { type: TYPE.public, name: 'trio', groupID, memberList, ...options });
        await owner.call('setGroupMemberRole', { groupID, userID: admin.user, role: 'Admin' });
        await tip(member, groupID, TIP.adminSet);
        return groupID;
      }

      /** What is told after everything that was told before has arrived: what has not come by then never will. @param {string} groupID */
      async function fence(groupID) {
        const text = userNamed('fence');
        await sayIn(owner, groupID, text);
        await Promise.all([admin, member].map((client) => client.message(text)));
      }

      for (const [name, type] of Object.entries(TYPE)) {
        test(`a ${name} group (${type}) is made, and is what was asked for`, async () => {
          const groupID = type === TYPE.community ? `@TGS#_${groupNamed(name)}` : groupNamed(name);
          const { data } = await owner.call('createGroup', {
            type,
            groupID,
            name: `a ${name} group`,
            introduction: 'what it is for',
            notification: 'be kind',
            avatar: 'https://files.example/group.png',
          });
          assert.equal(data.group.groupID, groupID);
          if (type === TYPE.room) await owner.call('joinGroup', { groupID, type });
          const profile = await profileOf(owner, groupID);
          assert.deepEqual(
            [profile.type, profile.name, profile.introduction, profile.notification, profile.avatar, profile.ownerID],
            [type, `a ${name} group`, 'what it is for', 'be kind', 'https://files.example/group.png', owner.user],
          );
          assert.equal(profile.selfInfo.role, 'Owner');
          if (type !== TYPE.room) assert.equal(profile.memberCount, 1);
          assert.ok(Math.abs(profile.createTime - nowSeconds()) <= 60);
          const listed = (await groupsOf(owner)).map((group) => group.groupID);
          assert.ok(listed.includes(groupID), `${listed}`);

          // Ids of communities have a form of their own.
          const other = type === TYPE.community ? type : TYPE.public;
          await refusedWith(owner.call('createGroup', { type: other, groupID, name: 'again' }), 10025);
          if (type === TYPE.work) await refusedWith(owner.call('dismissGroup', groupID), 10007, BY_ITSELF.dismissWork);
          else await owner.call('dismissGroup', groupID);
        });
      }

      test('without an id of its own a group gets one', async () => {
        const { data } = await owner.call('createGroup', { type: TYPE.public, name: 'nameless' });
        assert.match(data.group.groupID, /^@TGS#2[A-Z2-7]+$/);
        assert.equal((await profileOf(owner, data.group.groupID)).name, 'nameless');
      });

      test('first members are in at once, and told so', async () => {
        const groupID = groupNamed('first');
        await owner.call('createGroup', {
          type: TYPE.public,
          name: 'first',
          groupID,
          memberList: [{ userID: admin.user }, { userID: member.user }],
        });
        for (const client of [admin, member]) {
          const { payload } = await notice(client, groupID, NOTICE.invited);
          assert.equal(payload.operatorID, owner.user);
          assert.equal(payload.groupProfile.name, 'first');
          assert.ok((await groupsOf(client)).some((group) => group.groupID === groupID));
        }
        assert.deepEqual(await rolesIn(member, groupID), {
          [owner.user]: 'Owner',
          [admin.user]: 'Member',
          [member.user]: 'Member',
        });
      });

      test('a group that is open is joined at once: the others are told, and it is in the list', async () => {
        const groupID = groupNamed('open');
        await owner.call('createGroup', { type: TYPE.public, name: 'open', groupID, joinOption: 'FreeAccess' });
        const { data } = await member.call('joinGroup', { groupID });
        assert.equal(data.status, 'JoinedSuccess');
        assert.equal(data.group.groupID, groupID);
        const told = await tip(owner, groupID, TIP.joined);
        assert.deepEqual([told.operatorID, told.userIDList, told.memberCount], [member.user, [member.user], 2]);
        assert.ok((await groupsOf(member)).some((group) => group.groupID === groupID));
        assert.equal((await member.call('joinGroup', { groupID })).data.status, 'AlreadyInGroup');
      });

      test('a meeting is joined without a word to the others', async () => {
        const groupID = groupNamed('meeting');
        const memberList = [{ userID: admin.user }];
        await owner.call('createGroup', { type: TYPE.meeting, name: 'meeting', groupID, memberList });
        await notice(admin, groupID, NOTICE.invited);
        assert.equal((await member.call('joinGroup', { groupID })).data.status, 'JoinedSuccess');
        await sayIn(member, groupID, 'I am in');
        await owner.message('I am in');
        assert.deepEqual(heardIn(owner, groupID).filter(isTip(groupID, TIP.joined)), []);
      });

      test('an application goes to owner and admins, and the applicant hears what they decide', async () => {
        const groupID = groupNamed('gated');
        const memberList = [{ userID: admin.user }];
        await owner.call('createGroup', { type: TYPE.public, name: 'gated', groupID, memberList });
        await owner.call('setGroupMemberRole', { groupID, userID: admin.user, role: 'Admin' });
        const apply = async (/** @type {string} */ applyMessage) => {
          const { data } = await member.call('joinGroup', { groupID, applyMessage });
          assert.equal(data.status, 'WaitAdminApproval');
          const asked = await Promise.all([owner, admin].map((client) => notice(client, groupID, NOTICE.applied)));
          for (const { payload } of asked) {
            assert.deepEqual([payload.operatorID, payload.handleMessage], [member.user, applyMessage]);
          }
          return asked;
        };

        const [toOwner, refusedLater] = await apply('let me in');
        await owner.call('handleGroupApplication', {
          handleAction: 'Reject',
          handleMessage: 'not today',
          message: { $message: toOwner.ID },
        });
        const refusal = await notice(member, groupID, NOTICE.refused);
        assert.deepEqual([refusal.payload.operatorID, refusal.payload.handleMessage], [owner.user, 'not today']);
        assert.deepEqual(Object.keys(await rolesIn(owner, groupID)).sort(), [admin.user, owner.user].sort());
        const tooLate = admin.call('handleGroupApplication', {
          handleAction: 'Agree',
          handleMessage: '',
          message: { $message: refusedLater.ID },
        });
        await refusedWith(tooLate, 10024);

        const [, toAdmin] = await apply('please');
        await admin.call('handleGroupApplication', {
          handleAction: 'Agree',
          handleMessage: 'welcome',
          message: { $message: toAdmin.ID },
        });
        const acceptance = await notice(member, groupID, NOTICE.accepted);
        assert.deepEqual([acceptance.payload.operatorID, acceptance.payload.handleMessage], [admin.user, 'welcome']);
        const told = await tip(owner, groupID, TIP.joined);
        assert.deepEqual([told.userIDList, told.memberCount], [[member.user], 3]);
        await sayIn(member, groupID, 'thank you');
        await owner.message('thank you');
        assert.ok((await groupsOf(member)).some((group) => group.groupID === groupID));
      });

      test('who may not join is refused', async () => {
        const groupID = groupNamed('closed');
        await owner.call('createGroup', { type: TYPE.public, name: 'closed', groupID, joinOption: 'DisableApply' });
        await refusedWith(member.call('joinGroup', { groupID }), 10007);
        await assert.rejects(sayIn(member, groupID, 'through the wall'));
        await refusedWith(member.call('joinGroup', { groupID: groupNamed('nowhere') }), 10010);
      });

      test('a work group is joined by invitation of any member', async () => {
        const groupID = groupNamed('work');
        const memberList = [{ userID: admin.user }];
        await owner.call('createGroup', { type: TYPE.work, name: 'work', groupID, memberList });
        await sayIn(owner, groupID, 'first words'); // A work group exists for its members from its first message on.
        await admin.message('first words');
        await refusedWith(member.call('joinGroup', { groupID }), 10007);

        const { data } = await admin.call('addGroupMember', {
          groupID,
          userIDList: [member.user, owner.user, userNamed('ghost')],
        });
        assert.deepEqual(data.successUserIDList, [member.user]);
        assert.deepEqual(data.existedUserIDList, [owner.user]);
        assert.equal(data.failureUserIDList.length, 1);
        const { payload } = await notice(member, groupID, NOTICE.invited);
        assert.equal(payload.operatorID, admin.user);
        const told = await tip(owner, groupID, TIP.joined);
        assert.deepEqual([told.operatorID, told.userIDList, told.memberCount], [admin.user, [member.user], 3]);
        await sayIn(owner, groupID, 'welcome');
        await member.message('welcome');
      });

      test('only where invitations are allowed do members invite', async () => {
        const groupID = groupNamed('public');
        await owner.call('createGroup', { type: TYPE.public, name: 'public', groupID, joinOption: 'FreeAccess' });
        const error = await owner.call('addGroupMember', { groupID, userIDList: [member.user] }).catch((e) => e);
        assert.ok(error.code, 'the owner of a public group invites nobody');
        await server.restOk('group_open_http_svc/add_group_member', {
          GroupId: groupID,
          MemberList: [{ Member_Account: member.user }],
        });
        await notice(member, groupID, NOTICE.invited);
        const told = await tip(owner, groupID, TIP.joined);
        assert.deepEqual(told.userIDList, [member.user]);
      });

      test('who is removed hears why and hears nothing more; the others are told', async () => {
        const groupID = await trio();
        await refusedWith(member.call('deleteGroupMember', { groupID, userIDList: [admin.user] }), 10007);
        await admin.call('deleteGroupMember', { groupID, userIDList: [member.user], reason: 'too loud' });
        const { payload } = await notice(member, groupID, NOTICE.kicked);
        assert.deepEqual([payload.operatorID, payload.handleMessage], [admin.user, 'too loud']);
        for (const client of [owner, admin]) {
          const told = await tip(client, groupID, TIP.kicked);
          assert.deepEqual([told.operatorID, told.userIDList, told.memberCount], [admin.user, [member.user], 2]);
        }
        assert.equal(
          (await groupsOf(member)).some((group) => group.groupID === groupID),
          false,
        );
        assert.deepEqual(await Promise.all([owner, member].map(({ user }) => isListedFor(user, groupID))), [
          true,
          false,
        ]);
        await sayIn(owner, groupID, 'among us');
        await admin.message('among us');
        await assert.rejects(sayIn(member, groupID, 'still here?'));
        await owner.sendText(member.user, `fence ${groupID}`);
        await member.message(`fence ${groupID}`);
        assert.equal(member.timesReceived('among us'), 0);

        await refusedWith(admin.call('deleteGroupMember', { groupID, userIDList: [owner.user] }), 10007);
        assert.deepEqual(await rolesIn(owner, groupID), { [owner.user]: 'Owner', [admin.user]: 'Admin' });
      });

      test('who quits is out, here and on the next login; the owner cannot', async () => {
        const groupID = await trio();
        await member.call('quitGroup', groupID);
        const told = await tip(owner, groupID, TIP.quit);
        assert.deepEqual([told.operatorID, told.memberCount], [member.user, 2]);
        assert.equal(
          (await groupsOf(member)).some((group) => group.groupID === groupID),
          false,
        );
        assert.equal(await isListedFor(member.user, groupID), false);
        await refusedWith(owner.call('quitGroup', groupID), 10009);
        await sayIn(owner, groupID, 'without him');
        await admin.message('without him');

        await server.restOk('group_open_http_svc/add_group_member', {
          GroupId: groupID,
          MemberList: [{ Member_Account: member.user }],
        });
        await notice(member, groupID, NOTICE.invited);
        await sayIn(owner, groupID, 'with him again');
        await member.message('with him again');
        assert.equal(member.timesReceived('without him'), 0);
      });

      test('a work group goes on without its owner', async () => {
        const groupID = groupNamed('work');
        const memberList = [{ userID: admin.user }, { userID: member.user }];
        await owner.call('createGroup', { type: TYPE.work, name: 'work', groupID, memberList });
        await sayIn(owner, groupID, `farewell ${groupID}`);
        await member.message(`farewell ${groupID}`);
        await owner.call('quitGroup', groupID);
        await tip(member, groupID, TIP.quit, ({ operatorID }) => operatorID === owner.user);
        assert.equal((await profileOf(member, groupID)).ownerID, '');
        await sayIn(member, groupID, 'and now?');
        await admin.message('and now?');
      });

      test('a dismissed group is gone for all of them', async () => {
        const groupID = await trio();
        await refusedWith(admin.call('dismissGroup', groupID), 10007);
        await owner.call('dismissGroup', groupID);
        for (const client of [admin, member]) {
          const { payload } = await notice(client, groupID, NOTICE.dismissed);
          assert.equal(payload.operatorID, owner.user);
        }
        for (const client of [owner, admin, member]) {
          assert.equal(
            (await groupsOf(client)).some((group) => group.groupID === groupID),
            false,
          );
          assert.equal(await isListedFor(client.user, groupID), false);
        }
        await assert.rejects(sayIn(member, groupID, 'anybody?'));
        await owner.call('createGroup', { type: TYPE.public, name: 'second life', groupID });
        const { groupList } = (await member.call('getGroupList')).data;
        assert.equal(
          groupList.some((/** @type {any} */ group) => group.groupID === groupID),
          false,
        );
      });

      test('a group is handed over', async () => {
        const groupID = await trio();
        await assert.rejects(admin.call('changeGroupOwner', { groupID, newOwnerID: member.user }));
        await owner.call('changeGroupOwner', { groupID, newOwnerID: member.user });
        for (const client of [owner, admin, member]) {
          const told = await tip(client, groupID, TIP.profile);
          assert.deepEqual([told.operatorID, told.newGroupProfile], [owner.user, { ownerID: member.user }]);
          assert.equal((await profileOf(client, groupID)).ownerID, member.user);
        }
        assert.deepEqual(await rolesIn(admin, groupID), {
          [member.user]: 'Owner',
          [admin.user]: 'Admin',
          [owner.user]: 'Member',
        });
        await member.call('setGroupMemberRole', { groupID, userID: owner.user, role: 'Admin' });
        await tip(admin, groupID, TIP.adminSet, ({ userIDList }) => userIDList.includes(owner.user));
      });

      test('admins are made and unmade, and everybody is told', async () => {
        const groupID = await trio();
        const { payload } = await notice(admin, groupID, NOTICE.adminSet);
        assert.equal(payload.operatorID, owner.user);
        assert.equal((await rolesIn(member, groupID))[admin.user], 'Admin');
        const usurped = admin.call('setGroupMemberRole', { groupID, userID: member.user, role: 'Admin' });
        await refusedWith(usurped, 10007, BY_ITSELF.notOwner);

        await owner.call('setGroupMemberRole', { groupID, userID: admin.user, role: 'Member' });
        await notice(admin, groupID, NOTICE.adminUnset);
        const told = await tip(member, groupID, TIP.adminUnset);
        assert.deepEqual([told.operatorID, told.userIDList], [owner.user, [admin.user]]);
        assert.equal((await rolesIn(member, groupID))[admin.user], 'Member');
      });

      test('a muted member cannot speak until the mute ends or is lifted', async () => {
        const groupID = await trio();
        const before = nowSeconds();
        await admin.call('setGroupMemberMuteTime', { groupID, userID: member.user, muteTime: 600 });
        const told = await tip(member, groupID, TIP.member);
        assert.equal(told.operatorID, admin.user);
        const [change] = told.memberList;
        assert.deepEqual([change.userID, change.muteTime], [member.user, 600]);
        await refusedWith(sayIn(member, groupID, 'mmh'), 10017);
        const { data } = await owner.call('getGroupMemberProfile', { groupID, userIDList: [member.user] });
        const { muteUntil } = data.memberList[0];
        assert.ok(muteUntil >= before + 600 && muteUntil <= nowSeconds() + 600, `${muteUntil}`);

        await admin.call('setGroupMemberMuteTime', { groupID, userID: member.user, muteTime: 0 });
        const lifted = await tip(member, groupID, TIP.member, ({ memberList }) => memberList[0].muteTime === 0);
        assert.equal(lifted.memberList[0].userID, member.user);
        await sayIn(member, groupID, 'aah');
        await owner.message('aah');

        await owner.call('setGroupMemberMuteTime', { groupID, userID: member.user, muteTime: 1 });
        await tip(member, groupID, TIP.member, ({ memberList }) => memberList[0].muteTime === 1);
        // It ends by itself: asked as often as it takes.
        const deadline = Date.now() + 30_000;
        for (;;) {
          const sent = await sayIn(member, groupID, 'by itself').then(
            () => true,
            (error) => error.code !== 10017,
          );
          if (sent) break;
          assert.ok(Date.now() < deadline, 'the mute does not end');
        }
        await owner.message('by itself');
        await refusedWith(member.call('setGroupMemberMuteTime', { groupID, userID: admin.user, muteTime: 9 }), 10007);
      });

      test('when all are muted only owner and admins speak', async () => {
        const groupID = await trio();
        await owner.call('updateGroupProfile', { groupID, muteAllMembers: true });
        const told = await tip(member, groupID, TIP.profile);
        assert.deepEqual(told.newGroupProfile, { muteAllMembers: true });
        assert.equal((await profileOf(member, groupID)).muteAllMembers, true);
        await refusedWith(sayIn(member, groupID, 'mmh'), 10017);
        for (const client of [owner, admin]) {
          await sayIn(client, groupID, `${client.user} may`);
          await member.message(`${client.user} may`);
        }
        await admin.call('updateGroupProfile', { groupID, muteAllMembers: false });
        await tip(member, groupID, TIP.profile, ({ newGroupProfile }) => newGroupProfile.muteAllMembers === false);
        await sayIn(member, groupID, 'all may');
        await owner.message('all may');
      });

      test('a name card is shown with the member and with what he says', async () => {
        const groupID = await trio();
        await member.call('setGroupMemberNameCard', { groupID, nameCard: 'the new one' });
        const { data } = await owner.call('getGroupMemberProfile', { groupID, userIDList: [member.user] });
        assert.equal(data.memberList[0].nameCard, 'the new one');
        await sayIn(member, groupID, `hello ${groupID}`);
        assert.equal((await owner.message(`hello ${groupID}`)).nameCard, 'the new one');

        await admin.call('setGroupMemberNameCard', { groupID, userID: member.user, nameCard: 'not so new' });
        await sayIn(member, groupID, `again ${groupID}`);
        assert.equal((await owner.message(`again ${groupID}`)).nameCard, 'not so new');
        const error = await member
          .call('setGroupMemberNameCard', { groupID, userID: owner.user, nameCard: 'x' })
          .catch((e) => e);
        assert.ok(error.code, 'a member names only himself');
      });

      test('a changed profile reaches everybody by itself', async () => {
        const groupID = await trio();
        const change = {
          name: 'new name',
          introduction: 'new intro',
          notification: 'new notice',
          avatar: 'https://x/a',
        };
        await admin.call('updateGroupProfile', { groupID, ...change });
        for (const client of [owner, admin, member]) {
          const told = await tip(client, groupID, TIP.profile);
          assert.equal(told.operatorID, admin.user);
          const { name, ...others } = change;
          assert.deepEqual(told.newGroupProfile, { ...others, groupName: name });
          // The package tells of the tip first, and changes its list then.
          await knows(client, groupID, (group) => group.name === name);
          const listed = (await groupsOf(client)).find((group) => group.groupID === groupID);
          assert.deepEqual([listed.name, listed.notification], ['new name', 'new notice']);
          const profile = await profileOf(client, groupID);
          assert.deepEqual(
            [profile.name, profile.introduction, profile.notification, profile.avatar],
            Object.values(change),
          );
        }
        const conversation = await member.conversationWhere(
          { group: groupID },
          (item) => item?.groupProfile.name === 'new name',
        );
        assert.equal(conversation.groupProfile.avatar, 'https://x/a');
        await refusedWith(member.call('updateGroupProfile', { groupID, name: 'mine' }), 10007);
        await admin.call('updateGroupProfile', { groupID, joinOption: 'FreeAccess' });
        await tip(member, groupID, TIP.profile);
        assert.equal((await profileOf(member, groupID)).joinOption, 'FreeAccess');
      });

      test('a stranger finds a group by its id, but not a work group', async () => {
        const groupID = groupNamed('found');
        await owner.call('createGroup', { type: TYPE.public, name: 'found', groupID, introduction: 'come in' });
        const { data } = await member.call('searchGroupByID', groupID);
        assert.deepEqual(
          [data.group.groupID, data.group.name, data.group.introduction, data.group.type],
          [groupID, 'found', 'come in', TYPE.public],
        );
        const hidden = groupNamed('hidden');
        await owner.call('createGroup', { type: TYPE.work, name: 'hidden', groupID: hidden });
        await refusedWith(member.call('searchGroupByID', hidden), 10007);
        await refusedWith(member.call('searchGroupByID', groupNamed('nowhere')), 10010);
      });

      test('groups are listed after a new login, with what is known of them', async () => {
        const groupID = groupNamed('listed');
        const user = userNamed('listed');
        await server.restOk('im_open_login_svc/account_import', { UserID: user, Nick: 'Listed' });
        const memberList = [{ userID: user }, { userID: admin.user }];
        await owner.call('createGroup', {
          type: TYPE.public,
          name: 'listed',
          groupID,
          memberList,
          notification: 'hear!',
        });
        const client = await server.startClient({ sdk, user });
        const [group, ...others] = await groupsOf(client);
        assert.deepEqual(others, []);
        assert.deepEqual([group.groupID, group.name, group.type], [groupID, 'listed', TYPE.public]);
        const profile = await profileOf(client, groupID);
        assert.deepEqual([profile.ownerID, profile.memberCount, profile.notification], [owner.user, 3, 'hear!']);
        assert.equal(group.selfInfo.role, 'Member');
        const listed = (await membersOf(client, groupID)).find(({ userID }) => userID === user);
        assert.deepEqual([listed.nick, listed.role], ['Listed', 'Member']);
        assert.ok(Math.abs(listed.joinTime - nowSeconds()) <= 60);
        await client.kill();
      });

      test('members are listed by page', async () => {
        const groupID = groupNamed('many');
        const users = Array.from({ length: 120 }, (_, index) => userNamed(`one-of-many-${index}`));
        for (const part of [users.slice(0, 60), users.slice(60)]) {
          await server.restOk('im_open_login_svc/multiaccount_import', {
            AccountList: part.map((UserID) => ({ UserID })),
          });
        }
        await owner.call('createGroup', { type: TYPE.public, name: 'many', groupID });
        const MemberList = users.map((Member_Account) => ({ Member_Account }));
        await server.restOk('group_open_http_svc/add_group_member', { GroupId: groupID, MemberList });
        const seen = [];
        for (let offset = 0; ;) {
          const { data } = await owner.call('getGroupMemberList', { groupID, count: 50, offset });
          seen.push(...data.memberList.map((/** @type {any} */ item) => item.userID));
          if (!data.offset) break;
          ({ offset } = data);
        }
        assert.deepEqual(seen.sort(), [owner.user, ...users].sort());
        assert.equal((await profileOf(owner, groupID)).memberCount, 121);
      });

      test('a user who comes and goes is not told what concerns only others', async () => {
        const groupID = await trio();
        await owner.call('setGroupMemberRole', { groupID, userID: admin.user, role: 'Member' });
        await fence(groupID);
        for (const kind of [NOTICE.adminSet, NOTICE.adminUnset]) {
          assert.deepEqual(member.received.entries.filter(isNotice(groupID, kind)), []);
        }
      });
    });
  }
});
