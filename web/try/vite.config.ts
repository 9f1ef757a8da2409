import { defineConfig } from 'vite';

/** Where `npm run dev` finds the server that the page talks to. */
const server = process.env.TEAHOUSE_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  // The page is served at `/`, but may be behind a proxy with a path of its own.
  base: './',
  build: {
    target: 'es2022',
    // Its loader would be an inline script in some browsers; all that the page needs is in one file anyway.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  server: {
    proxy: { '/try': server, '/v4': server, '/binfo': { target: server, ws: true } },
  },
});
