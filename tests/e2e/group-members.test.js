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
        const chosen = await outsider.call('searchGroupByID', groupID);
        assert.deepEqual(asObject(chosen.data.group.groupCustomField), { level: '1', mood: 'fine' });

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
    });
  }
});
