// Every page in both themes and widths: accessible, without a scroll to the side; pictures are
// kept in artifacts/.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessible, launch, row, shot, signIn, withPage } from './browser.mjs';
import { openAlert, someEvents, threeServices } from './fixtures.mjs';
import { client, start } from './server.mjs';

let server;
let browser;
let pages;
before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
  const api = client(server);
  await someEvents(api);
  const [id, alert] = [await threeServices(api), await openAlert(api)];
  pages = {
    search: '/search?from=now-24h',
    drawer: '/search?from=now-24h&q=http.response.status_code:*',
    request: `/requests/${id}`,
    requests: '/requests',
    alerts: '/alerts',
    alert: `/alerts/${alert.id}`,
    rules: '/rules',
    webhooks: '/webhooks',
    keys: '/keys',
    status: '/status',
    missing: '/no-such-page',
  };
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const width of [1280, 390]) {
  for (const colorScheme of ['dark', 'light']) {
    test(`pages at ${width} pixels, ${colorScheme}`, async () => {
      const viewport = { width, height: width === 390 ? 844 : 800 };
      await withPage(browser, server, { viewport, colorScheme, hasTouch: width === 390 }, async (page) => {
        await page.goto('/');
        await page.getByLabel('API key').waitFor();
        await shot(page, `signin-${width}-${colorScheme}`);
        await signIn(page, server);
        for (const [name, path] of Object.entries(pages)) {
          await page.goto(path);
          if (/search/.test(path)) await row(page, 1).waitFor();
          if (name === 'drawer') {
            await row(page, 1).click();
            await page.getByRole('region', { name: 'Event', exact: true }).waitFor();
          }
          await page.waitForLoadState('networkidle');
          await shot(page, `${name}-${width}-${colorScheme}`);
          await accessible(page, `${name} at ${width}, ${colorScheme}`);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${name} is ${wide} pixels too wide`);
        }
      });
    });
  }
}

test('a chosen theme holds over a reload, against the system', async () => {
  await withPage(browser, server, { colorScheme: 'light' }, async (page) => {
    await signIn(page, server);
    const dark = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
    await page.getByRole('button', { name: 'Theme: auto' }).click();
    await page.getByRole('button', { name: 'Theme: light' }).click();
    assert.equal(await dark(), 'dark');
    await page.reload();
    await page.getByRole('button', { name: 'Theme: dark' }).waitFor();
    assert.equal(await dark(), 'dark');
  });
});

test('forced colours and 200 % zoom keep everything in reach', async () => {
  const options = { viewport: { width: 640, height: 400 }, forcedColors: 'active' };
  await withPage(browser, server, options, async (page) => {
    await signIn(page, server, '/search?from=now-24h');
    await row(page, 1).waitFor();
    await shot(page, 'search-forced-colours');
    await page.getByRole('button', { name: 'Run' }).click();
    await row(page, 1).click();
    await page.getByRole('region', { name: 'Event', exact: true }).waitFor();
  });
});
