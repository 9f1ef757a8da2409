import { Terminal } from './terminal.tsx';

const COMMAND = 'teahouse serve --dev';

/** For a server whose apps are not for playing. */
export function Start() {
  return (
    <section class="card start" aria-labelledby="start-title">
      <h2 id="start-title">Try it on your machine</h2>
      <p>
        This server runs with apps of its own, so this page has no keys to play with. Started like this, Teahouse makes
        an app for trying out, and this page shows two users, a group and a live room at work:
      </p>
      <Terminal name="start" content={`${COMMAND}\n`}>
        {COMMAND}
      </Terminal>
      <p>
        Then open <code>http://127.0.0.1:8080</code>.
      </p>
    </section>
  );
}
