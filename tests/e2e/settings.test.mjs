import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessible, launch, signIn, withPage } from './browser.mjs';
import { client, start } from './server.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('a key is made, shown once, works, and is revoked', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/keys');
    await page.getByRole('button', { name: 'New key' }).click();
    const dialog = page.getByRole('dialog', { name: 'New key' });
    await dialog.getByLabel('Name').fill('made-by-e2e');
    await dialog.getByLabel('ingest').uncheck();
    await dialog.getByLabel('search').check();
    await accessible(page, 'new key');
    await dialog.getByRole('button', { name: 'Make the key' }).click();
    const shown = page.getByRole('dialog', { name: 'Key made-by-e2e' });
    const key = await shown.locator('code').innerText();
    assert.match(key, /^wl_/);
    await accessible(page, 'key shown once');
    await shown.getByRole('button', { name: 'Done' }).click();
    await page.reload();
    await page.getByRole('cell', { name: 'made-by-e2e', exact: true }).waitFor();
    assert.ok(!(await page.content()).includes(key), 'it is not shown again');
    if (server.real) {
      const body = { query: '', from: 'now-1h', to: 'now', limit: 1 };
      await client({ url: server.url, key }).post('/search', body);
    }
    await page.getByRole('button', { name: 'Revoke made-by-e2e' }).click();
    const confirm = page.getByRole('dialog', { name: 'Revoke this key?' });
    await accessible(page, 'revoke');
    await confirm.getByRole('button', { name: 'Revoke', exact: true }).click();
    await page.getByText('made-by-e2e is revoked').waitFor();
  });
});

test('a webhook that may not be is refused with the reason', async () => {
  await withPage(browser, server, { allow: [/refused: POST .*\/webhooks 4\d\d/] }, async (page) => {
    await signIn(page, server, '/webhooks');
    await page.getByRole('button', { name: 'New webhook' }).click();
    const dialog = page.getByRole('dialog', { name: 'New webhook' });
    await dialog.getByLabel('Address').fill('https://169.254.169.254/latest/meta-data');
    await dialog.getByLabel('What it is').fill('inside');
    await dialog.getByRole('button', { name: 'Add the webhook' }).click();
    await dialog.getByRole('alert').waitFor();
    await accessible(page, 'webhook refused');
  });
});

test('rules are listed with their text', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/rules');
    await page.locator('li a').first().click();
    const rule = page.getByRole('region', { name: 'Rule', exact: true });
    await rule.getByLabel('Text of the rule').waitFor();
    await accessible(page, 'rule');
  });
});
