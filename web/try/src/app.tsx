/** The page: what this is, and then either the demonstration or how to get one. */
import { useEffect, useState } from 'preact/hooks';
import { getInfo, postUsers, type Info, type User } from './api.ts';
import { LiveRoom } from './live-room.ts';
import { inWords, Person } from './person.ts';
import { Backend, BackendExample } from './parts/backend.tsx';
import { Header } from './parts/header.tsx';
import { Moving } from './parts/moving.tsx';
import { RoomView } from './parts/room.tsx';
import { Start } from './parts/start.tsx';
import { TableView } from './parts/table.tsx';
import { Table } from './table.ts';

/** Everything that is shown at work. */
interface Demo {
  readonly admin: User;
  readonly table: Table;
  readonly room: LiveRoom;
}

export function App() {
  const [info, setInfo] = useState<Info>();
  const [demo, setDemo] = useState<Demo>();
  const [problem, setProblem] = useState('');

  useEffect(() => {
    load().catch((reason) => setProblem(inWords(reason)));

    async function load() {
      const found = await getInfo();
      setInfo(found);
      if (found.dev) setDemo(await prepare(found.sdkAppId));
    }
  }, []);

  return (
    <>
      <Header info={info} />
      <main>
        {problem && (
          <p class="alarm" role="alert">
            The server does not answer this page: {problem}
          </p>
        )}
        {demo && info?.dev && (
          <>
            <div class="opening">
              <TableView table={demo.table} />
              <Backend table={demo.table} admin={demo.admin} sdkAppId={info.sdkAppId} />
            </div>
            <RoomView room={demo.room} />
          </>
        )}
        {info && !info.dev && (
          <div class="opening opening-start">
            <Start />
            <BackendExample />
          </div>
        )}
        {info && <Moving sdkAppId={info.dev ? info.sdkAppId : 1400000000} />}
      </main>
      <footer>
        <p>
          Teahouse {info?.version} · Apache-2.0 · <a href="metrics">metrics</a> · <a href="healthz">health</a>
        </p>
      </footer>
    </>
  );
}

/** Every load of the page has users of its own, so that two of them do not log each other out. */
async function prepare(sdkAppId: number): Promise<Demo> {
  const suffix = Math.random().toString(36).slice(2, 6).padEnd(4, '0');
  const { users, admin } = await postUsers(['alice', 'bob', 'guest'].map((name) => `${name}-${suffix}`));
  const [alice, bob, guest] = users;
  if (!alice || !bob || !guest) throw new Error('the server has not signed all users');
  const table = new Table(new Person('Alice', alice, sdkAppId), new Person('Bob', bob, sdkAppId));
  void table.open();
  return { admin, table, room: new LiveRoom(`room-${suffix}`, guest, sdkAppId) };
}
