/** The thread behind `stopwatch.js`. */
import { parentPort, workerData } from 'node:worker_threads';
import { decodeFrame } from './frame.js';
import { RawConnection } from './raw.js';

const PROBE_EVERY_MS = 20;

const { url, app, user, room } = workerData;
const connection = await RawConnection.open({ url, face: 'binfo', app });
let longest = 0;
/** When the question was asked that has no reply yet. @type {number | undefined} */
let asked;

connection.socket.on('message', (data) => {
  const at = performance.now();
  longest = Math.max(longest, asked === undefined ? 0 : at - asked);
  const { body } = decodeFrame(/** @type {Buffer} */ (data)).frame;
  const messages = (body.EventArray ?? []).flatMap((/** @type {any} */ event) => event.GroupMsgArray ?? []);
  for (const { MsgSeq: seq, MsgTimeStamp: time, MsgPriority: priority, MsgBody } of messages) {
    parentPort?.postMessage({ at, delay: longest, seq, time, priority, text: MsgBody[0].MsgContent.Text });
  }
});
await connection.login(user);
const reply = await connection.ask('group_open_http_svc.apply_join_group', { GroupId: room, WebPushFlag: 1 });
parentPort?.postMessage({ joined: reply });

async function probe() {
  asked = performance.now();
  await connection.ask('heartbeat.alive');
  asked = undefined;
  setTimeout(probe, PROBE_EVERY_MS);
}
await probe();
