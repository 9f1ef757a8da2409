/** What the server has stored, as its backend sees it. */
import { nowSeconds } from './signatures.js';

/**
 * The texts between two users, oldest first: all pages of `openim/admin_getroammsg`.
 *
 * @param {import('./server.js').Server} server
 * @param {string} owner Whose view.
 * @param {string} peer
 * @returns {Promise<string[]>}
 */
export async function storedTexts(server, owner, peer) {
  /** @type {string[]} */
  const texts = [];
  let cursor = {};
  for (;;) {
    const answer = await server.restOk('openim/admin_getroammsg', {
      Operator_Account: owner,
      Peer_Account: peer,
      MaxCnt: 100,
      MinTime: 0,
      MaxTime: nowSeconds() + 60,
      ...cursor,
    });
    texts.unshift(...answer.MsgList.map((/** @type {any} */ message) => message.MsgBody[0].MsgContent.Text));
    if (answer.Complete === 1) return texts;
    cursor = { MaxTime: answer.LastMsgTime, LastMsgKey: answer.LastMsgKey };
  }
}
