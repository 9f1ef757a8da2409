/** Profiles: set, read by others, told to the own other devices, the same by client and by REST. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SDKS, cleanUpAfterwards, refusedWith, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({ 'login.policy': 'multi', 'login.web_instances': 2 });
});

const PROFILE = {
  nick: 'Alice 爱丽丝',
  avatar: 'https://images.example/alice.png',
  gender: 'Gender_Type_Female',
  selfSignature: 'tea at five',
  allowType: 'AllowType_Type_NeedConfirm',
  birthday: 19990131,
  location: 'Shenzhen',
  language: 3,
  messageSettings: 1,
  level: 5,
  role: 2,
};

/** The wire's names of the same. */
const TAGS = {
  Tag_Profile_IM_Nick: PROFILE.nick,
  Tag_Profile_IM_Image: PROFILE.avatar,
  Tag_Profile_IM_Gender: PROFILE.gender,
  Tag_Profile_IM_SelfSignature: PROFILE.selfSignature,
  Tag_Profile_IM_AllowType: PROFILE.allowType,
  Tag_Profile_IM_BirthDay: PROFILE.birthday,
  Tag_Profile_IM_Location: PROFILE.location,
  Tag_Profile_IM_Language: PROFILE.language,
  Tag_Profile_IM_MsgSettings: PROFILE.messageSettings,
  Tag_Profile_IM_Level: PROFILE.level,
  Tag_Profile_IM_Role: PROFILE.role,
};

/** @param {any} actual @param {object} expected */
function assertHolds(actual, expected) {
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(actual[name], value, name);
}

/** @param {{Tag: string, Value: any}[]} items */
const asObject = (items) => Object.fromEntries(items.map(({ Tag, Value }) => [Tag, Value]));

/** @param {string} user */
async function byRest(user) {
  const answer = await server.restOk('profile/portrait_get', { To_Account: [user], TagList: Object.keys(TAGS) });
  assert.equal(answer.UserProfileItem[0].To_Account, user);
  return asObject(answer.UserProfileItem[0].ProfileItem);
}

for (const sdk of SDKS) {
  describe(`profiles with ${sdk}`, () => {
    test('every standard field is kept, shown to others, to REST and after a new login', async () => {
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      await alice.call('updateMyProfile', PROFILE);
      assertHolds((await alice.call('getMyProfile')).data, PROFILE);
      const { data } = await bob.call('getUserProfile', { userIDList: [alice.user] });
      assertHolds(data[0], PROFILE);
      assertHolds(await byRest(alice.user), TAGS);
      await alice.kill();
      const again = await server.startClient({ sdk, user: alice.user });
      assertHolds((await again.call('getMyProfile')).data, PROFILE);
      await Promise.all([bob, again].map((each) => each.kill()));
    });

    test('a change shows on the own other device, whoever makes it', async () => {
      const user = userNamed('alice');
      const desk = await server.startClient({ sdk, user });
      const lap = await server.startClient({ sdk, user });
      await desk.call('updateMyProfile', { nick: 'from the desk' });
      const [changed] = await lap.next('onProfileUpdated', ([profile]) => profile.nick === 'from the desk');
      assert.equal(changed.userID, user);

      await server.restOk('profile/portrait_set', {
        From_Account: user,
        ProfileItem: [
          { Tag: 'Tag_Profile_IM_Nick', Value: 'from the backend' },
          { Tag: 'Tag_Profile_IM_Level', Value: 9 },
        ],
      });
      for (const device of [desk, lap]) {
        await device.next('onProfileUpdated', ([profile]) => profile.nick === 'from the backend');
        assertHolds((await device.call('getMyProfile')).data, { nick: 'from the backend', level: 9 });
      }
      await Promise.all([desk, lap].map((each) => each.kill()));
    });

    test('a custom field works once the app has declared it', async () => {
      await server.set({ 'profile.custom_fields': 'Color' });
      const [alice, bob] = [
        await server.startClient({ sdk, user: userNamed('alice') }),
        await server.startClient({ sdk, user: userNamed('bob') }),
      ];
      const field = { key: 'Tag_Profile_Custom_Color', value: 'jade' };
      await alice.call('updateMyProfile', { profileCustomField: [field] });
      const { data } = await bob.call('getUserProfile', { userIDList: [alice.user] });
      assert.deepEqual(data[0].profileCustomField, [field]);
      await refusedWith(
        alice.call('updateMyProfile', { profileCustomField: [{ key: 'Tag_Profile_Custom_Other', value: 'x' }] }),
        40009,
      );
      await Promise.all([alice, bob].map((each) => each.kill()));
    });

    test('nick and avatar travel with each message and show in the conversation list', async () => {
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      const { nick, avatar } = PROFILE;
      await alice.call('updateMyProfile', { nick, avatar });
      await alice.sendText(bob.user, 'with my name');
      assertHolds(await bob.message('with my name'), { nick, avatar });
      await server.restOk('openim/sendmsg', {
        From_Account: alice.user,
        To_Account: bob.user,
        MsgRandom: 8,
        MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'by the backend' } }],
      });
      assertHolds(await bob.message('by the backend'), { nick, avatar });
      await bob.kill();
      const again = await server.startClient({ sdk, user: bob.user });
      const conversation = await again.conversationWhere(alice.user, (item) => item?.userProfile.nick === nick);
      assert.equal(conversation.userProfile.avatar, avatar);
      await Promise.all([alice, again].map((each) => each.kill()));
    });
  });
}

describe('profile REST', () => {
  test('an account is imported with its nick and avatar', async () => {
    const user = userNamed('amelie');
    await server.restOk('im_open_login_svc/account_import', {
      UserID: user,
      Nick: 'Amélie',
      FaceUrl: 'https://img.example/a.png',
    });
    assertHolds(await byRest(user), {
      Tag_Profile_IM_Nick: 'Amélie',
      Tag_Profile_IM_Image: 'https://img.example/a.png',
    });
  });

  test('an unknown user fails alone, beside the known ones', async () => {
    const [user, ghost] = [userNamed('amelie'), userNamed('ghost')];
    await server.restOk('im_open_login_svc/account_import', { UserID: user, Nick: 'Amélie' });
    const answer = await server.restOk('profile/portrait_get', {
      To_Account: [user, ghost],
      TagList: ['Tag_Profile_IM_Nick'],
    });
    const items = Object.fromEntries(answer.UserProfileItem.map((/** @type {any} */ item) => [item.To_Account, item]));
    assert.equal(items[user].ResultCode, 0);
    assert.equal(items[ghost].ResultCode, 40003);
    assert.deepEqual(answer.Fail_Account, [ghost]);
  });

  /** @type {[string, {Tag: string, Value: any}, number][]} */
  const refusals = [
    ['an unknown tag', { Tag: 'Tag_Profile_IM_NoSuch', Value: 'x' }, 40009],
    ['a custom tag that was not declared', { Tag: 'Tag_Profile_Custom_Nope', Value: 'x' }, 40009],
    ['a nick over 500 bytes', { Tag: 'Tag_Profile_IM_Nick', Value: 'x'.repeat(501) }, 40601],
    ['a gender that does not exist', { Tag: 'Tag_Profile_IM_Gender', Value: 'Gender_Type_Teapot' }, 40605],
    ['a nick that is a number', { Tag: 'Tag_Profile_IM_Nick', Value: 5 }, 40610],
    ['a birthday that is a text', { Tag: 'Tag_Profile_IM_BirthDay', Value: 'soon' }, 40610],
  ];
  for (const [what, item, code] of refusals) {
    test(`${what} is refused with ${code}, and nothing of the call is kept`, async () => {
      const user = userNamed('amelie');
      await server.restOk('im_open_login_svc/account_import', { UserID: user, Nick: 'old' });
      const answer = await server.rest('profile/portrait_set', {
        From_Account: user,
        ProfileItem: [{ Tag: 'Tag_Profile_IM_SelfSignature', Value: 'new' }, item],
      });
      assert.equal(answer.ErrorCode, code, answer.ErrorInfo);
      const kept = await byRest(user);
      assert.equal(kept.Tag_Profile_IM_Nick, 'old');
      assert.equal(kept.Tag_Profile_IM_SelfSignature ?? '', '');
    });
  }

  test('the profile of an unknown user cannot be set', async () => {
    const answer = await server.rest('profile/portrait_set', {
      From_Account: userNamed('ghost'),
      ProfileItem: [{ Tag: 'Tag_Profile_IM_Nick', Value: 'x' }],
    });
    assert.equal(answer.ErrorCode, 40003);
  });
});
