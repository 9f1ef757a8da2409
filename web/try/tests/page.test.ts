/**
 * The built page in a real browser, on a real server: `TEAHOUSE_BIN` names the binary. Leaves pictures of the page in
 * `web/try/screenshots`.
 */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BINARY, Server } from '../../harness/server.ts';
import { launch } from './browser.ts';

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const SCREENSHOTS = local('../screenshots');
const SIZES = [
  { name: 'phone', width: 360, height: 800 },
  { name: 'desk', width: 1440, height: 900 },
];

describe('the page', { timeout: 120_000 }, () => {
  let browser: Browser;
  let origin: string;
  const ends: (() => void | Promise<void>)[] = [];
  const open: Page[] = [];
  /** What the browser complains of: a broken policy, a missing file, an exception. */
  let complaints: string[] = [];

  beforeAll(async () => {
    if (!BINARY) throw new Error('TEAHOUSE_BIN has to name the binary that serves the page');
    mkdirSync(SCREENSHOTS, { recursive: true });
    browser = await launch();
    origin = await serve(true);
  }, 60_000);
  afterEach(async () => {
    await Promise.all(open.splice(0).map((page) => page.close()));
    expect(complaints).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    for (const end of ends) await end();
  });

  /** A server with the page, and where it is. */
  async function serve(dev: boolean): Promise<string> {
    const server = await Server.start({ dev });
    ends.push(() => server.remove());
    return `http://${server.address}`;
  }

  async function visit(options: { width?: number; height?: number; dark?: boolean; at?: string } = {}): Promise<Page> {
    const { width = 1440, height = 900, dark = false, at = origin } = options;
    complaints = [];
    const page = await browser.newPage({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light' });
    page.setDefaultTimeout(15_000);
    open.push(page);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('response', (response) => {
      if (response.status() >= 400) complaints.push(`HTTP status ${response.status()} for ${response.url()}`);
    });
    page.on('pageerror', (problem) => complaints.push(String(problem)));
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.host !== new URL(at).host) complaints.push(`a request to ${url.href}`);
    });
    await page.goto(at);
    return page;
  }

  const panel = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

  async function say(page: Page, name: string, content: string): Promise<void> {
    await panel(page, name).getByRole('textbox').fill(content);
    await panel(page, name).getByRole('textbox').press('Enter');
  }

  const online = (page: Page, name: string) =>
    panel(page, name)
      .getByRole('button', { name: /^online/ })
      .waitFor();

  test('two users chat, see what is unread and what was read', async () => {
    const page = await visit();
    await online(page, 'Alice');
    await online(page, 'Bob');
    await say(page, 'Alice', 'Is the oolong ready?');
    await panel(page, 'Bob').getByText('Is the oolong ready?').waitFor();
    await panel(page, 'Bob')
      .getByText(/^arrived after/)
      .waitFor();
    await panel(page, 'Bob').getByText('1 unread').waitFor();
    await panel(page, 'Alice')
      .getByText(/^stored in [\d.]+ ms$/)
      .waitFor();
    await panel(page, 'Bob').getByRole('log').click();
    await panel(page, 'Alice')
      .getByText(/· read$/)
      .waitFor();
    expect(await panel(page, 'Bob').getByText('1 unread').count()).toBe(0);
  });

  test('the call of the backend arrives', async () => {
    const page = await visit();
    await online(page, 'Bob');
    await page.getByRole('button', { name: 'Call it from here' }).click();
    await page.getByText(/HTTP 200 in/).waitFor();
    await page.getByText(/^Arrived at Bob’s after [\d.]+ ms$/).waitFor();
    await panel(page, 'Bob').getByText('from your backend').waitFor();
    await panel(page, 'Bob').getByText('Your table is ready').waitFor();
  });

  test('the copied curl command works as it is', async () => {
    const page = await visit();
    await online(page, 'Bob');
    const timed = panel(page, 'Bob').getByText(/^arrived after/);
    await page.getByRole('button', { name: 'Call it from here' }).click();
    await timed.waitFor();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy the curl command' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const command = await page.evaluate(() => navigator.clipboard.readText());
    expect(command).toContain(`curl -s "${origin}/v4/openim/sendmsg`);
    const { stdout } = await promisify(execFile)('sh', ['-c', command]);
    expect(JSON.parse(stdout)).toMatchObject({ ActionStatus: 'OK', ErrorCode: 0 });
    await panel(page, 'Bob').getByText('2 unread').waitFor();
    expect(await panel(page, 'Bob').getByText('from your backend').count()).toBe(2);
    // When the shell called is not known.
    expect(await timed.count()).toBe(1);
  });

  test('who was offline finds what was said meanwhile', async () => {
    const page = await visit();
    await online(page, 'Bob');
    await panel(page, 'Bob')
      .getByRole('button', { name: /^online/ })
      .click();
    await panel(page, 'Bob')
      .getByRole('button', { name: /^offline/ })
      .waitFor();
    await panel(page, 'Alice').getByRole('textbox').click();
    await say(page, 'Alice', 'Are you there?');
    await panel(page, 'Alice')
      .getByText(/^stored in/)
      .waitFor();
    await panel(page, 'Bob')
      .getByRole('button', { name: /^offline/ })
      .click();
    await panel(page, 'Bob').getByText('Are you there?').waitFor();
  });

  test('the group tells who joined and what is said, and the keyboard goes from tab to tab', async () => {
    const page = await visit();
    await online(page, 'Bob');
    await page.getByRole('tab', { name: 'One to one' }).focus();
    await page.keyboard.press('ArrowRight');
    await panel(page, 'Alice').getByText('Bob joined').waitFor();
    await say(page, 'Bob', 'Hello, table');
    await panel(page, 'Alice').getByText('Hello, table').waitFor();
    await panel(page, 'Alice').getByText('1 unread').waitFor();
    await page.screenshot({ path: `${SCREENSHOTS}/group.png` });
    await page.getByRole('tab', { name: 'One to one' }).click();
    await page.getByRole('tab', { name: 'Group 1 unread' }).waitFor();
  });

  test('the room shows what it delivers, and the viewer in the browser takes part', async () => {
    const page = await visit();
    const room = page.getByRole('region', { name: 'A live room' });
    await room.getByRole('button', { name: 'Open the room' }).click();
    await room.getByText(/[1-9]\d* messages \/ s here/).waitFor();
    await room.getByRole('textbox').fill('Good evening!');
    await room.getByRole('textbox').press('Enter');
    await room.getByText('Good evening!').first().waitFor();
    await room.getByRole('img', { name: /^delivered [1-9]\d+, dropped \d+$/ }).waitFor();
    await room.getByRole('button', { name: 'Close the room' }).click();
    await room.getByRole('button', { name: 'Open the room' }).waitFor();
  });

  test('without --dev the page says how to begin', async () => {
    const at = await serve(false);
    const page = await visit({ at });
    await page.getByText('teahouse serve --dev').waitFor();
    const command = await page.getByLabel('curl command', { exact: true }).textContent();
    expect(command).toContain('?sdkappid=SDKAPPID&identifier=administrator');
    expect(await page.getByRole('button', { name: 'Open the room' }).count()).toBe(0);
    await page.screenshot({ path: `${SCREENSHOTS}/start.png` });
  });

  test.each(SIZES.flatMap((size) => [false, true].map((dark) => ({ ...size, dark }))))(
    'a picture on a $name, dark: $dark',
    async ({ name, width, height, dark }) => {
      const page = await visit({ width, height, dark });
      await online(page, 'Alice');
      await online(page, 'Bob');
      await say(page, 'Alice', 'Is the oolong ready?');
      await say(page, 'Bob', 'Just poured. Come over!');
      await panel(page, 'Alice')
        .getByText(/^arrived after/)
        .waitFor();
      await page.getByRole('button', { name: 'Call it from here' }).click();
      await panel(page, 'Bob').getByText('Your table is ready').waitFor();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow).toBeLessThanOrEqual(0);
      const file = `${SCREENSHOTS}/${name}-${dark ? 'dark' : 'light'}`;
      await page.evaluate(() => window.scrollTo(0, 0));
      await page.screenshot({ path: `${file}-top.png` });
      const room = page.getByRole('region', { name: 'A live room' });
      await room.getByRole('button', { name: 'Open the room' }).click();
      await room.getByText(/[1-9]\d* messages \/ s here/).waitFor();
      // A chart of one point shows nothing: a few seconds of the room.
      for (let sample = 0; sample < 5; sample++) {
        const shown = room.getByRole('img').first();
        const before = await shown.getAttribute('aria-label');
        await page.waitForFunction(
          ([label]) => document.querySelector('[role=img]')?.getAttribute('aria-label') !== label,
          [before],
        );
      }
      await page.screenshot({ path: `${file}-whole.png`, fullPage: true });
      await room.getByRole('button', { name: 'Close the room' }).click();
    },
  );
});
