/** What groups and their members carry, and who comes in and stays out. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  NOTICE,
  SDKS,
  TIP,
  TYPE,
  cleanUpAfterwards,
  heardIn,
  isTip,
  makeGroup,
  notice,
  refusedWith,
  startServer,
  tip,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({
    'group.custom_fields': 'level,mood',
    'group.member_custom_fields': 'rank',
    'login.policy': 'multi',
    'login.web_instances': 2,
  });
});

/** @param {{key: string, value: string}[]} fields */
const asObject = (fields) => Object.fromEntries(fields.map(({ key, value }) => [key, value]));

describe('members', { concurrency: true }, () => {
  for (const sdk of SDKS) {
    describe(`with ${sdk}`, { concurrency: false }, () => {
      /** @type {import('./harness/client.js').Client} */ let owner;
      /** @type {import('./harness/client.js').Client} */ let admin;
      /** @type {import('./harness/client.js').Client} */ let member;
      /** @type {import('./harness/client.js').Client} */ let outsider;

      before(async () => {
        [owner, admin, member, outsider] = await Promise.all(
          ['owner', 'admin', 'member', 'outsider'].map((name) => server.startClient({ sdk, user: userNamed(name) })),
        );
      });

      /**
       * A group of the three, with their roles.
       *
       * @param {object} [options] Further fields of `create_group`.
       */
      async function trio(options) {
        const group = await makeGroup(server, { owner, members: [admin, member], options });
        const body = { GroupId: group, Member_Account: admin.user, Role: 'Admin' };
        await server.restOk('group_open_http_svc/modify_group_member_info', body);
        await notice(admin, group, NOTICE.adminSet);
        return group;
      }

      test('custom fields of a group are set, told to its members, read and removed', async () => {
        const groupID = await trio({ AppDefinedData: [{ Key: 'level', Value: '1' }] });
        await admin.call('updateGroupProfile', { groupID, groupCustomField: [{ key: 'mood', value: 'fine' }] });
        const told = await tip(member, groupID, TIP.profile);
        assert.deepEqual(asObject(told.newGroupProfile.groupCustomField), { level: '1', mood: 'fine' });
        const { data } = await member.call('getGroupProfile', { groupID });
        assert.deepEqual(asObject(data.group.groupCustomField), { level: '1', mood: 'fine' });

        await owner.call('updateGroupProfile', { groupID, groupCustomField: [{ key: 'level', value: '' }] });
        await tip(member, groupID, TIP.profile);
        const { GroupInfo } = await server.restOk('group_open_http_svc/get_group_info', { GroupIdList: [groupID] });
        assert.deepEqual(GroupInfo[0].AppDefinedData, [{ Key: 'mood', Value: 'fine' }]);

        const field = [{ key: 'taste', value: '1' }];
        await refusedWith(owner.call('updateGroupProfile', { groupID, groupCustomField: field }), 10004);
        const known = [{ key: 'mood', value: 'odd' }];
        await refusedWith(member.call('updateGroupProfile', { groupID, groupCustomField: known }), 10007);
      });

      test('a group is made with custom fields', async () => {
        const groupID = `custom-${sdk}`;
        const groupCustomField = [{ key: 'level', value: '7' }];
        await owner.call('createGroup', { type: TYPE.public, name: 'custom', groupID, groupCustomField });
        const { data } = await owner.call('getGroupProfile', { groupID, groupCustomFieldFilter: ['level'] });
        assert.deepEqual(asObject(data.group.groupCustomField), { level: '7' });
      });

      test('custom fields of a member are set by himself and by those above him, without a word to the group', async () => {
        const groupID = await trio();
        const rank = (/** @type {string} */ value) => [{ key: 'rank', value }];
        await member.call('setGroupMemberCustomField', { groupID, memberCustomField: rank('2') });
        const profiles = async () => {
          const wanted = { groupID, userIDList: [member.user], memberCustomFieldFilter: ['rank'] };
          const { data } = await owner.call('getGroupMemberProfile', wanted);
          return asObject(data.memberList[0].memberCustomField);
        };
        assert.deepEqual(await profiles(), { rank: '2' });
        const { data } = await admin.call('getGroupMemberList', { groupID, count: 100 });
        const listed = data.memberList.find((/** @type {any} */ { userID }) => userID === member.user);
        assert.deepEqual(asObject(listed.memberCustomField), { rank: '2' });

        await admin.call('setGroupMemberCustomField', { groupID, userID: member.user, memberCustomField: rank('') });
        const { MemberList } = await server.restOk('group_open_http_svc/get_specified_group_member_info', {
          GroupId: groupID,
          Member_List_Account: [member.user],
        });
        assert.deepEqual(MemberList[0].AppMemberDefinedData, []);
        const others = { groupID, userID: admin.user, memberCustomField: rank('9') };
        await refusedWith(member.call('setGroupMemberCustomField', others), 10007);
        assert.deepEqual(heardIn(owner, groupID).filter(isTip(groupID, TIP.member)), []);
      });

      /** @param {any} client The applications that a package lists. @param {string} groupID */
      const applicationsOf = async (client, groupID) =>
        (await client.call('getGroupApplicationList')).data.applicationList.filter(
          (/** @type {any} */ application) => application.groupID === groupID,
        );

      test('an application is told to owner and admins, listed, and decided on once', async () => {
        const groupID = await trio();
        const { data } = await outsider.call('joinGroup', { groupID, applyMessage: 'let me in' });
        assert.equal(data.status, 'WaitAdminApproval');
        const told = await Promise.all([owner, admin].map((client) => notice(client, groupID, NOTICE.applied)));
        assert.deepEqual(told.map(({ payload }) => [payload.operatorID, payload.handleMessage]), [
          [outsider.user, 'let me in'],
          [outsider.user, 'let me in'],
        ]);
        const [application] = await applicationsOf(admin, groupID);
        assert.deepEqual(
          [application.applicant, application.applicationType, application.groupName],
          [outsider.user, 0, 'a group'],
        );
        // The older package does not show it.
        if (sdk === 'chat') assert.equal(application.note, 'let me in');
        assert.deepEqual(await applicationsOf(member, groupID), []);

        const [forOwner] = await applicationsOf(owner, groupID);
        await admin.call('handleGroupApplication', { handleAction: 'Agree', application });
        assert.equal((await notice(outsider, groupID, NOTICE.accepted)).payload.operatorID, admin.user);
        await tip(member, groupID, TIP.joined, ({ userIDList }) => userIDList.includes(outsider.user));
        const late = { handleAction: 'Reject', application: forOwner };
        await refusedWith(owner.call('handleGroupApplication', late), 10024);
        assert.deepEqual(await applicationsOf(owner, groupID), []);
      });

      test('an application is refused by the notice of it, and the applicant told why', async () => {
        const groupID = await trio();
        await outsider.call('joinGroup', { groupID, applyMessage: 'again' });
        const message = await notice(owner, groupID, NOTICE.applied);
        const answer = { handleAction: 'Reject', handleMessage: 'not today', message };
        await owner.call('handleGroupApplication', answer);
        const { payload } = await notice(outsider, groupID, NOTICE.refused);
        assert.deepEqual([payload.operatorID, payload.handleMessage], [owner.user, 'not today']);
        await refusedWith(admin.call('handleGroupApplication', { ...answer, message: await notice(admin, groupID, NOTICE.applied) }), 10024);
      });

      test("a member's invitation waits for approval, and who invited is told of it", async () => {
        const groupID = await trio({ InviteJoinOption: 'NeedPermission' });
        await member.call('addGroupMember', { groupID, userIDList: [outsider.user] });
        const told = await notice(admin, groupID, NOTICE.approvalAsked);
        assert.deepEqual([told.payload.operatorID, told.payload.userIDList], [member.user, [outsider.user]]);
        const [application] = await applicationsOf(owner, groupID);
        assert.deepEqual(
          [application.applicant, application.userID, application.applicationType],
          [member.user, outsider.user, 2],
        );
        await owner.call('handleGroupApplication', { handleAction: 'Agree', application });
        const { payload } = await notice(member, groupID, NOTICE.invitationAccepted);
        assert.equal(payload.operatorID, owner.user);
        assert.equal((await notice(outsider, groupID, NOTICE.invited)).payload.operatorID, member.user);
        const joined = await tip(admin, groupID, TIP.joined, ({ userIDList }) => userIDList.includes(outsider.user));
        assert.equal(joined.operatorID, member.user);
      });

      test('who is banned is out on all devices and stays out, who is unbanned may come back', async () => {
        const groupID = await trio({ Type: TYPE.meeting });
        const phone = await server.startClient({ sdk, user: member.user });
        await server.restOk('group_open_http_svc/ban_group_member', {
          GroupId: groupID,
          Members_Account: [member.user],
          Duration: 3600,
          Description: 'noise',
        });
        for (const device of [member, phone]) {
          const { payload } = await notice(device, groupID, NOTICE.banned);
          assert.deepEqual([payload.duration, payload.reason], [3600, 'noise']);
        }
        await refusedWith(member.call('joinGroup', { groupID }), 10007);
        await refusedWith(admin.call('addGroupMember', { groupID, userIDList: [member.user] }), 10007);
        const body = { GroupId: groupID, Members_Account: [member.user] };
        await server.restOk('group_open_http_svc/unban_group_member', body);
        await notice(member, groupID, NOTICE.unbanned);
        assert.equal((await member.call('joinGroup', { groupID })).data.status, 'JoinedSuccess');
        await phone.kill();
      });

      test('a viewer is banned from a live room by its owner, and the room is told', async () => {
        const groupID = `live-${sdk}`;
        const room = { Owner_Account: owner.user, Type: TYPE.room, GroupId: groupID, Name: 'live' };
        await server.restOk('group_open_http_svc/create_group', room);
        for (const client of [owner, member, outsider]) {
          await client.call('joinGroup', { groupID, type: TYPE.room });
        }
        await tip(owner, groupID, TIP.joined, ({ userIDList }) => userIDList.includes(outsider.user));
        await owner.call('deleteGroupMember', { groupID, userIDList: [outsider.user], reason: 'noise', duration: 600 });
        const { payload } = await notice(outsider, groupID, NOTICE.banned);
        assert.deepEqual([payload.operatorID, payload.duration, payload.reason], [owner.user, 600, 'noise']);
        const told = await tip(member, groupID, TIP.banned);
        assert.deepEqual([told.operatorID, told.userIDList], [owner.user, [outsider.user]]);
        await refusedWith(outsider.call('joinGroup', { groupID, type: TYPE.room }), 10007);
        const { BannedAccountList } = await server.restOk('group_open_http_svc/get_group_ban_member', {
          GroupId: groupID,
          Offset: 0,
        });
        assert.deepEqual(BannedAccountList.map((/** @type {any} */ ban) => ban.Member_Account), [outsider.user]);
        const body = { GroupId: groupID, Members_Account: [outsider.user] };
        await server.restOk('group_open_http_svc/unban_group_member', body);
        await notice(outsider, groupID, NOTICE.unbanned);
        await outsider.call('joinGroup', { groupID, type: TYPE.room });
        await tip(member, groupID, TIP.joined, ({ userIDList }) => userIDList.includes(outsider.user));
      });
    });
  }
});

describe('search', () => {
  test('groups by name and by id, members by id, nick and name card', async () => {
    const [alice, bob, carol] = await Promise.all(
      ['alice', 'bob', 'carol'].map((name) => server.startClient({ sdk: 'chat', user: userNamed(name) })),
    );
    await bob.call('updateMyProfile', { nick: 'Robert' });
    const own = await makeGroup(server, { owner: alice, members: [bob], options: { Name: 'Green tea' } });
    const other = await makeGroup(server, { owner: carol, options: { Name: 'Green coffee' } });
    const found = async (/** @type {any} */ client, /** @type {string[]} */ ...keywordList) => {
      const { data } = await client.call('searchCloudGroups', { keywordList, count: 10 });
      return data.searchResultList.map((/** @type {any} */ group) => [group.groupID, group.name, group.memberCount]);
    };
    assert.deepEqual(await found(alice, 'green'), [[own, 'Green tea', 2]]);
    assert.deepEqual(await found(alice, other), [[other, 'Green coffee', 1]]);
    assert.deepEqual(await found(carol, 'tea'), []);

    const members = async (/** @type {any} */ client) => {
      const { data } = await client.call('searchCloudGroupMembers', { keywordList: ['robert'] });
      return data.searchResultList.map((/** @type {any} */ { groupInfo, memberList }) => [
        groupInfo.groupID,
        memberList.map((/** @type {any} */ { userID, nick }) => [userID, nick]),
      ]);
    };
    assert.deepEqual(await members(alice), [[own, [[bob.user, 'Robert']]]]);
    assert.deepEqual(await members(carol), []);
  });
});

describe('where the app wants the consent of those who are invited', { concurrency: true }, () => {
  /** @type {import('./harness/server.js').Server} */ let asking;

  before(async () => {
    asking = await startServer();
    await asking.set({ 'group.invitee_consent': 'on' });
  });

  for (const sdk of SDKS) {
    test(`an invitation is answered by who is invited (${sdk})`, async () => {
      const [owner, invitee, other] = await Promise.all(
        ['owner', 'invitee', 'other'].map((name) => asking.startClient({ sdk, user: userNamed(name) })),
      );
      const groupID = await makeGroup(asking, { owner, options: { InviteJoinOption: 'FreeAccess' } });
      await owner.call('addGroupMember', { groupID, userIDList: [invitee.user, other.user] });
      const message = await notice(invitee, groupID, NOTICE.consentAsked);
      assert.equal(message.payload.operatorID, owner.user);
      await invitee.call('callExperimentalAPI', 'handleGroupInvitation', { handleAction: 'Agree', message });
      assert.equal((await notice(owner, groupID, NOTICE.invitationAccepted)).payload.operatorID, invitee.user);
      await notice(invitee, groupID, NOTICE.invited);
      await tip(owner, groupID, TIP.joined, ({ userIDList }) => userIDList.includes(invitee.user));

      // The packages also list it among the applications, and answer it from there.
      await notice(other, groupID, NOTICE.consentAsked);
      const { data } = await other.call('getGroupApplicationList');
      const [application] = data.applicationList;
      assert.deepEqual([application.applicant, application.applicationType], [owner.user, 1]);
      await other.call('handleGroupApplication', { handleAction: 'Reject', application });
      assert.equal((await notice(owner, groupID, NOTICE.invitationRefused)).payload.operatorID, other.user);
    });
  }
});
