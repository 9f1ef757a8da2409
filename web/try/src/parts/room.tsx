/** The live room: sliders, figures, charts, and one viewer. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { RATE_MAX, VIEWERS_MAX, type LiveRoom } from '../live-room.ts';
import { inWords } from '../stopwatch.ts';
import { useStore } from '../store.ts';
import { Chart, type Curve } from './chart.tsx';

const DELIVERIES: readonly Curve[] = [
  { name: 'delivered', color: '--good', isArea: true },
  { name: 'dropped', color: '--bad', isArea: true },
];
const LATENCIES: readonly Curve[] = [
  { name: 'p50', color: '--calm' },
  { name: 'p99', color: '--warm' },
];

const whole = (value: number) => Math.round(value).toLocaleString('en');

export function RoomView({ room }: { room: LiveRoom }) {
  useStore(room);
  const last = room.samples.at(-1);
  const times = room.samples.map(({ at }) => at);
  return (
    <section class="card room" aria-labelledby="room-title">
      <div class="room-control">
        <h2 id="room-title">A live room</h2>
        <p>
          The server fills a room with simulated viewers, each on a connection of its own, and lets them talk. Every
          message goes to every viewer.
        </p>
        <Slider
          label="Viewers"
          max={VIEWERS_MAX}
          step={10}
          value={room.viewers}
          onChange={(viewers) => void room.adjust({ viewers })}
        />
        <Slider
          label="Messages a second"
          max={RATE_MAX}
          step={1}
          value={room.messagesPerSecond}
          onChange={(messagesPerSecond) => void room.adjust({ messagesPerSecond })}
        />
        <p class="row">
          <button type="button" onClick={() => void (room.isOpen ? room.close() : room.open())}>
            {room.isOpen ? 'Close the room' : 'Open the room'}
          </button>
          <span class="fan-out">
            {whole(room.viewers * room.messagesPerSecond)} <small>deliveries a second wanted</small>
          </span>
        </p>
        {room.problem && (
          <p class="problem" role="alert">
            {room.problem}
          </p>
        )}
      </div>

      <dl class="figures" aria-live="off">
        <Figure color="--good" name="delivered / s" value={last && whole(last.deliveredPerSecond)} />
        <Figure color="--bad" name="messages dropped / s" value={last && whole(last.droppedPerSecond)} />
        <Figure color="--calm" name="latency p50" value={last && inWords(last.p50)} />
        <Figure color="--warm" name="latency p99" value={last && inWords(last.p99)} />
      </dl>

      <div class="charts">
        <Chart
          title="Deliveries a second"
          curves={DELIVERIES}
          times={times}
          values={[
            room.samples.map(({ deliveredPerSecond }) => deliveredPerSecond),
            room.samples.map(({ droppedPerSecond }) => droppedPerSecond),
          ]}
        />
        <Chart
          title="Latency, ms"
          curves={LATENCIES}
          times={times}
          values={[room.samples.map(({ p50 }) => p50), room.samples.map(({ p99 }) => p99)]}
        />
      </div>

      <Viewer room={room} />
    </section>
  );
}

function Figure({ color, name, value }: { color: string; name: string; value: string | undefined }) {
  return (
    <div>
      <dt>
        <i style={{ background: `var(${color})` }} />
        {name}
      </dt>
      <dd>{value ?? '–'}</dd>
    </div>
  );
}

interface SliderProps {
  readonly label: string;
  readonly max: number;
  readonly step: number;
  readonly value: number;
  onChange(value: number): void;
}

function Slider({ label, max, step, value, onChange }: SliderProps) {
  // Follows the thumb; the server is asked when it is let go.
  const [shown, setShown] = useState(value);
  return (
    <label class="slider">
      <span>{label}</span>
      <output>{shown}</output>
      <input
        type="range"
        min={0}
        max={max}
        step={step}
        value={shown}
        onInput={(event) => setShown(event.currentTarget.valueAsNumber)}
        onChange={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}

/** What one of the viewers sees: the one in this browser. */
function Viewer({ room }: { room: LiveRoom }) {
  const [draft, setDraft] = useState('Good evening from this browser!');
  const list = useRef<HTMLOListElement>(null);
  useStore(room.feed);
  const { comments } = room.feed;
  const newest = comments.at(-1)?.key;
  useLayoutEffect(() => {
    list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [newest]);

  function send(event: Event) {
    event.preventDefault();
    const content = draft.trim();
    if (!content) return;
    setDraft('');
    void room.say(content);
  }

  return (
    <div class="viewer">
      <h3>
        You, viewer <code>{room.me.userId}</code>
        {room.isOpen && <small>{whole(room.seenPerSecond)} messages / s here</small>}
      </h3>
      {/* Not announced: hundreds a second would be read out. */}
      <ol class="comments" ref={list} aria-label="Messages of the room" tabIndex={0}>
        {comments.length === 0 && <li class="empty">The room is closed.</li>}
        {comments.map((comment) => (
          <li key={comment.key} class={comment.isOwn ? 'own' : ''}>
            <b>{comment.isOwn ? 'you' : comment.from}</b> {comment.text}
          </li>
        ))}
      </ol>
      <form onSubmit={send}>
        <label class="hidden" for="say-room">
          Your message to the room
        </label>
        <input
          id="say-room"
          autocomplete="off"
          enterkeyhint="send"
          maxLength={200}
          placeholder="Say something"
          disabled={!room.isOpen}
          value={draft}
          onInput={(event) => setDraft(event.currentTarget.value)}
        />
        <button disabled={!room.isOpen || !draft.trim()}>Send</button>
      </form>
    </div>
  );
}
