/**
 * A chatbot for Teahouse, without dependencies: receives the webhooks of a robot, asks a model server that speaks the
 * usual chat completions API, and answers as the robot over REST. See README.md.
 */
import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const {
  PORT = '8090',
  TEAHOUSE = 'http://127.0.0.1:8080',
  SDKAPPID = '',
  ADMIN = 'administrator',
  USERSIG = '',
  WEBHOOK_TOKEN = '',
  MODEL_URL = 'http://127.0.0.1:11434/v1/chat/completions',
  MODEL = 'llama3.2',
} = process.env;

/** Events that were answered, by the name that one which comes again has, too. */
const seen = new Set();
const SEEN_MAX = 10_000;
/** How old a signature may be, seconds. */
const FRESH_S = 300;

/** Whether the call comes from the server that knows the token. @param {URLSearchParams} query */
function isSigned(query) {
  const time = query.get('RequestTime') ?? '';
  const expected = createHash('sha256').update(WEBHOOK_TOKEN + time).digest();
  const given = Buffer.from(query.get('Sign') ?? '', 'hex');
  const isFresh = Math.abs(Date.now() / 1000 - Number(time)) <= FRESH_S;
  return isFresh && given.length === expected.length && timingSafeEqual(given, expected);
}

/** @param {string} command @param {object} body */
async function rest(command, body) {
  const query = new URLSearchParams({
    sdkappid: SDKAPPID,
    identifier: ADMIN,
    usersig: USERSIG,
    random: String(randomInt(2 ** 32)),
    contenttype: 'json',
  });
  const answer = await fetch(`${TEAHOUSE}/v4/${command}?${query}`, { method: 'POST', body: JSON.stringify(body) });
  const { ErrorCode, ErrorInfo } = await answer.json();
  if (ErrorCode !== 0) throw new Error(`${command}: ${ErrorCode} ${ErrorInfo}`);
}

/** What the model says to a text. @param {string} text @returns {Promise<string>} */
async function ask(text) {
  const answer = await fetch(MODEL_URL, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: text }] }),
  });
  if (!answer.ok) throw new Error(`the model server answers with status ${answer.status}`);
  return (await answer.json()).choices[0].message.content;
}

/** The text of a message, without the mention that it begins with. @param {any} event @param {string[]} robots */
function textOf(event, robots) {
  const texts = event.MsgBody.filter(({ MsgType }) => MsgType === 'TIMTextElem');
  let text = texts.map(({ MsgContent }) => MsgContent.Text).join('\n');
  for (const robot of robots) text = text.replace(`@${robot}`, '');
  return text.trim();
}

/** Answers one event. @param {any} event */
async function reply(event) {
  const said = (/** @type {string} */ text) => [{ MsgType: 'TIMTextElem', MsgContent: { Text: text } }];
  if (event.CallbackCommand === 'Bot.OnC2CMessage') {
    await rest('openim/sendmsg', {
      From_Account: event.To_Account,
      To_Account: event.From_Account,
      MsgRandom: randomInt(2 ** 32),
      MsgBody: said(await ask(textOf(event, []))),
    });
  } else if (event.CallbackCommand === 'Bot.OnGroupMessage') {
    const text = await ask(textOf(event, event.AtRobots_Account));
    for (const robot of event.AtRobots_Account) {
      await rest('group_open_http_svc/send_group_msg', {
        GroupId: event.GroupId,
        From_Account: robot,
        Random: randomInt(2 ** 32),
        MsgBody: said(text),
      });
    }
  }
}

const server = createServer(async (request, response) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://bot');
  if (!isSigned(searchParams)) {
    response.writeHead(403).end();
    return;
  }
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  // At once: a model takes longer than a webhook waits.
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}');
  const name = request.headers['x-teahouse-event-id'];
  if (seen.has(name)) return;
  if (seen.size >= SEEN_MAX) seen.clear();
  seen.add(name);
  try {
    await reply(JSON.parse(body));
  } catch (problem) {
    console.error(problem);
  }
});

server.listen(Number(PORT), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  console.log(`webhook.url is http://127.0.0.1:${port}/`);
});
