import type { Info } from '../api.ts';

export function Header({ info }: { info: Info | undefined }) {
  return (
    <header class="noren">
      <div class="noren-cloth">
        <p class="noren-facts">
          {info?.dev ? `SDKAppID ${info.sdkAppId}` : ''}
          {info && <span>v{info.version}</span>}
        </p>
        <Crest />
        <h1>Teahouse</h1>
        <p class="lead">
          An open chat cloud in one binary, on your own machines: private chat, groups and live rooms, fast and durable.
          It speaks the REST API and the client protocol of Tencent Cloud Chat, so an app built for that service moves
          in by changing a host name.
        </p>
      </div>
      <div class="noren-hem" aria-hidden="true">
        <i />
        <i />
        <i />
        <i />
        <i />
      </div>
    </header>
  );
}

/** On a noren there is the sign of the house: here a bowl in the moon. */
function Crest() {
  return (
    <svg class="crest" viewBox="0 0 100 100" aria-hidden="true">
      <circle cx="50" cy="50" r="50" />
      <path d="M22 46h56c0 17-9 28-21 31v5H43v-5C31 74 22 63 22 46z" />
      <path d="M41 37c-4-5 4-8 0-14M50 37c-4-5 4-8 0-14M59 37c-4-5 4-8 0-14" />
    </svg>
  );
}
