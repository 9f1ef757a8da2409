/** Two users side by side. */
import { plainText, type Tip } from '@teahouse/chat';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { keyOf, type Line, type Person, type Place } from '../person.ts';
import { inWords } from '../stopwatch.ts';
import { useStore } from '../store.ts';
import type { Table } from '../table.ts';
import { Badge, Tabs } from './tabs.tsx';

const OPENERS: Record<string, string> = { Alice: 'Is the oolong ready?', Bob: 'Just poured. Come over!' };

export function TableView({ table }: { table: Table }) {
  useStore(table);
  useStore(table.people[0]);
  useStore(table.people[1]);
  const tab = (name: Place, label: string) => ({ name, label, count: name === table.place ? 0 : table.unread(name) });
  return (
    <section class="tables" aria-labelledby="table-title">
      <div class="table-head">
        <div>
          <h2 id="table-title">Two users, one server</h2>
          <p>
            Each panel is a client of its own. Click into one to read; take one offline and write to it all the same.
          </p>
        </div>
        <Tabs
          label="Conversation"
          tabs={[tab('direct', 'One to one'), tab('group', 'Group')]}
          selected={table.place}
          panel="table"
          onSelect={(place) => table.show(place)}
        />
      </div>
      <div class="table" id="table" role="tabpanel" aria-labelledby={`table-${table.place}`}>
        {table.people.map((person) => (
          <PersonView key={person.userId} table={table} person={person} />
        ))}
      </div>
    </section>
  );
}

function PersonView({ table, person }: { table: Table; person: Person }) {
  const { place } = table;
  const [draft, setDraft] = useState(OPENERS[person.name] ?? '');
  const lines = person.lines[place];
  const unread = person.unread(place);
  const isOffline = person.state === 'offline';
  const problem = person.problem || (place === 'group' ? table.groupProblem : '');

  function send(event: Event) {
    event.preventDefault();
    const content = draft.trim();
    if (!content) return;
    setDraft('');
    void person.say(place, content);
  }

  return (
    <section
      class={`card person person-${person.name.toLowerCase()}`}
      aria-label={person.name}
      // Whoever is clicked or typed at is played by the visitor, and reads.
      onPointerDown={() => table.attend(person)}
      onFocusCapture={() => table.attend(person)}
    >
      <header>
        <h3>
          {person.name} <code>{person.userId}</code>
        </h3>
        {unread > 0 && <Badge count={unread} />}
        <button
          type="button"
          class="quiet state"
          title={isOffline ? `Bring ${person.name} back` : `Take ${person.name} offline`}
          onClick={() => void (isOffline ? person.goOnline() : person.goOffline())}
        >
          <span class={`dot dot-${person.state}`} />
          {person.state === 'connecting' ? 'connecting' : person.state}
          <span class="hidden">, {isOffline ? 'go online' : 'go offline'}</span>
        </button>
      </header>
      <Lines lines={lines} person={person} table={table} />
      {problem && <p class="problem">{problem}</p>}
      <form onSubmit={send}>
        <label class="hidden" for={`say-${person.userId}`}>
          Message of {person.name}
        </label>
        <input
          id={`say-${person.userId}`}
          autocomplete="off"
          enterkeyhint="send"
          maxLength={500}
          placeholder={isOffline ? `${person.name} is offline` : `Write as ${person.name}`}
          disabled={isOffline}
          value={draft}
          onInput={(event) => setDraft(event.currentTarget.value)}
        />
        <button disabled={isOffline || !draft.trim()}>Send</button>
      </form>
    </section>
  );
}

function Lines({ lines, person, table }: { lines: readonly Line[]; person: Person; table: Table }) {
  const frame = useRef<HTMLDivElement>(null);
  const last = lines.at(-1);
  useLayoutEffect(() => {
    frame.current?.scrollTo({ top: frame.current.scrollHeight });
  }, [last?.entry, last?.status, table.place]);
  return (
    <div class="log" role="log" aria-label={`What ${person.name} sees`} ref={frame} tabIndex={0}>
      <ol class="lines">
        {lines.length === 0 && <li class="empty">{person.state === 'online' ? 'Nothing said yet.' : ''}</li>}
        {lines.map((line) => (
          <LineView key={keyOf(line.entry)} line={line} person={person} table={table} />
        ))}
      </ol>
    </div>
  );
}

function LineView({ line, person, table }: { line: Line; person: Person; table: Table }) {
  const { entry } = line;
  const nameOf = (userId: string) => table.people.find((other) => other.userId === userId)?.name ?? userId;
  if (entry.kind === 'tip') return <li class="tip">{tipText(entry, nameOf)}</li>;
  const isOwn = entry.from === person.userId;
  return (
    <li class={isOwn ? 'own' : 'others'}>
      <p>{plainText(entry)}</p>
      <small>
        {line.isFromBackend && <b>from your backend</b>}
        <span>{isOwn && !line.isFromBackend ? ownState(line) : arrival(line)}</span>
      </small>
    </li>
  );
}

function ownState({ status, tookMs, problem }: Line): string {
  const stored = tookMs === undefined ? 'stored' : `stored in ${inWords(tookMs)}`;
  switch (status) {
    case 'sending':
      return 'sending';
    case 'failed':
      return `not sent: ${problem}`;
    case 'read':
      return tookMs === undefined ? 'read' : `${stored} · read`;
    default:
      return stored;
  }
}

function arrival({ tookMs, entry }: Line): string {
  if (tookMs !== undefined) return `arrived after ${inWords(tookMs)}`;
  return new Date(entry.time * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

function tipText(tip: Tip, nameOf: (userId: string) => string): string {
  const members = tip.members.map(nameOf).join(', ') || nameOf(tip.operator);
  switch (tip.what) {
    case 'joined':
      return `${members} joined`;
    case 'quit':
      return `${nameOf(tip.operator)} left`;
    case 'kicked':
      return `${members} was removed`;
    default:
      return `${nameOf(tip.operator)} changed the group`;
  }
}
