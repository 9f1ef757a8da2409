import { serverUrl, socketUrl } from '../api.ts';

/** What changes in an app that moves in. */
export function Moving({ sdkAppId }: { sdkAppId: number }) {
  return (
    <section class="moving" aria-labelledby="moving-title">
      <h2 id="moving-title">Moving in changes a host name</h2>
      <div class="moving-parts">
        <figure class="card">
          <figcaption>Your backend</figcaption>
          <pre tabIndex={0} aria-label="Change in the backend">
            <del>https://console.tim.qq.com/v4/openim/sendmsg?…</del>
            <ins>{serverUrl()}/v4/openim/sendmsg?…</ins>
          </pre>
          <p>Signatures, queries, bodies and answers stay as they are.</p>
        </figure>
        <figure class="card">
          <figcaption>
            Your clients, with the package that they use, or with ours, <code>@teahouse/chat</code>
          </figcaption>
          <pre tabIndex={0} aria-label="Change in the clients">
            <span>{'TencentCloudChat.create({'}</span>
            <span>{`  SDKAppID: ${sdkAppId},`}</span>
            <ins>{`  proxyServer: '${socketUrl()}',`}</ins>
            <span>{'})'}</span>
          </pre>
          <p>Calls, events and fields keep their names and meanings.</p>
        </figure>
      </div>
    </section>
  );
}
