/** The REST call of a backend: to be pasted into a terminal, or carried out from here. */
import { useState } from 'preact/hooks';
import { serverUrl, type User } from '../api.ts';
import { BACKEND_CALL, keyOf, type Line } from '../person.ts';
import * as stopwatch from '../stopwatch.ts';
import { useStore } from '../store.ts';
import type { Table } from '../table.ts';
import { Terminal } from './terminal.tsx';

/** What the message says. */
const CONTENT = 'Your table is ready';

interface Call {
  readonly sdkAppId: number | string;
  readonly admin: User;
  readonly from: string;
  readonly to: string;
}

/** The address in the lines in which it is shown: before, and behind the signature. */
const address = ({ sdkAppId, admin }: Call) =>
  [
    [`${serverUrl()}/v4/openim/sendmsg`, `?sdkappid=${sdkAppId}&identifier=${admin.userId}`, '&usersig='],
    '&random=1&contenttype=json',
  ] as const;

/** The body around its random number: a new one each time, since the server stores a repeated number once. */
const body = ({ from, to }: Call) =>
  [
    `{"From_Account":"${from}",\n   "To_Account":"${to}",\n   "MsgRandom":`,
    `,\n   "MsgBody":[{"MsgType":"TIMTextElem",\n     "MsgContent":{"Text":"${CONTENT}"}}]}`,
  ] as const;

/** Lines that a POSIX shell puts together again. */
function Curl({ call }: { call: Call }) {
  const [lines, behind] = address(call);
  const [start, end] = body(call);
  const before = `curl -s "${lines.join('\\\n')}`;
  const rest = `${behind}" \\\n  -d '${start}'$(date +%s)'${end}'`;
  return (
    <Terminal name="curl" content={`${before}${call.admin.userSig}${rest}\n`}>
      {before}
      {/* Hundreds of characters that nobody reads: shown by their beginning, copied as a whole. */}
      <span class={call.admin.userSig.length > 16 ? 'signature' : ''}>{call.admin.userSig}</span>
      {rest}
    </Terminal>
  );
}

export function Backend({ table, admin, sdkAppId }: { table: Table; admin: User; sdkAppId: number }) {
  const [alice, bob] = table.people;
  useStore(bob);
  const call: Call = { sdkAppId, admin, from: alice.userId, to: bob.userId };
  const [answer, setAnswer] = useState('');
  const [isRunning, setIsRunning] = useState(false);
  const arrived = bob.lines.direct.findLast(({ isFromBackend }) => isFromBackend);

  async function run() {
    setIsRunning(true);
    try {
      setAnswer(await post(call));
    } catch (problem) {
      setAnswer(String(problem));
    }
    setIsRunning(false);
  }

  return (
    <section class="card backend" aria-labelledby="backend-title">
      <h2 id="backend-title">Send one as your backend</h2>
      <p>The REST call that your backend makes today. Paste it into a terminal, and the message arrives at Bob’s.</p>
      <Curl call={call} />
      <p class="row">
        <button type="button" onClick={run} disabled={isRunning}>
          Call it from here
        </button>
        <span class="arrived" role="status">
          {arrived && <Arrived key={keyOf(arrived.entry)} line={arrived} />}
        </span>
      </p>
      <output class="answer" aria-label="Answer of the REST call">
        {answer}
      </output>
    </section>
  );
}

/** Bob may be out of sight, on a phone. */
function Arrived({ line: { tookMs } }: { line: Line }) {
  return <>Arrived at Bob’s{tookMs !== undefined && ` after ${stopwatch.inWords(tookMs)}`}</>;
}

async function post(call: Call): Promise<string> {
  const [lines, behind] = address(call);
  const [start, end] = body(call);
  const random = crypto.getRandomValues(new Uint32Array(1))[0];
  stopwatch.start(BACKEND_CALL);
  const startedAt = performance.now();
  const answer = await fetch(`${lines.join('')}${encodeURIComponent(call.admin.userSig)}${behind}`, {
    method: 'POST',
    body: `${start}${random}${end}`,
  });
  const content = await answer.text();
  return `${content.trim()}\nHTTP ${answer.status} in ${stopwatch.inWords(performance.now() - startedAt)}`;
}

/** Without an app of its own the page can only show how it looks. */
export function BackendExample() {
  const admin = { userId: 'administrator', userSig: 'USERSIG' };
  return (
    <section class="card backend" aria-labelledby="backend-title">
      <h2 id="backend-title">Send one as your backend</h2>
      <p>
        The REST call that your backend makes today. <code>teahouse usersig</code> makes the signature of the
        administrator.
      </p>
      <Curl call={{ sdkAppId: 'SDKAPPID', admin, from: 'alice', to: 'bob' }} />
    </section>
  );
}
