import { defineConfig } from 'vitest/config';

/** `@teahouse/chat` is tested as it is written, not as it was built last. */
const resolve = { conditions: ['source'] };

export default defineConfig({
  test: {
    projects: [
      { resolve, test: { name: 'sdk', include: ['sdk/tests/**/*.test.ts'] } },
      { test: { name: 'page', include: ['try/tests/page.test.ts'] } },
    ],
  },
});
