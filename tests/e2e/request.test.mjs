import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessible, launch, signIn, withPage } from './browser.mjs';
import { threeServices } from './fixtures.mjs';
import { client, start } from './server.mjs';

let server;
let browser;
let id;
before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
  id = await threeServices(client(server));
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('an id pasted anywhere leads to the timeline of its request', async () => {
  await withPage(browser, server, { permissions: ['clipboard-read', 'clipboard-write'] }, async (page) => {
    await signIn(page, server, '/alerts');
    await page.keyboard.press('i');
    await page.keyboard.insertText(` ${id} `);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/requests/${id}`);

    for (const service of ['edge', 'login', 'transfers']) {
      await page.getByRole('group', { name: service, exact: true }).waitFor();
    }
    const bar = page.getByRole('group', { name: 'transfers' }).getByRole('button');
    const label = await bar.getAttribute('aria-label');
    assert.match(label, /at 60 ms: 200 260 ms/, 'start is the time of the line minus how long it took');
    await page.getByText('80 ms without a line of any other service').waitFor();
    await accessible(page, 'request');

    await bar.click();
    const drawer = page.getByRole('region', { name: 'Event', exact: true });
    await drawer.getByText('transfer confirmed').waitFor();
    await accessible(page, 'request with an event');
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: 'Copy as note' }).click();
    const note = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(note, /^### Request /);
    assert.match(note, /\| \+60 ms \| transfers \| 200 \| 260 ms \|/);
  });
});

test('an id no event carries says so and offers a way on', async () => {
  await withPage(browser, server, { allow: [/refused: GET .*\/requests\/.* 404/] }, async (page) => {
    await signIn(page, server, '/requests/no-such-id%2Fwith%20odd%3Fparts');
    await page.getByRole('heading', { name: 'No event carries this id' }).waitFor();
    await page.getByText('no-such-id/with odd?parts').waitFor();
    await accessible(page, 'request not found');
  });
});
