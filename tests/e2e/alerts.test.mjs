import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessible, launch, signIn, withPage } from './browser.mjs';
import { openAlert } from './fixtures.mjs';
import { client, start } from './server.mjs';

let server;
let browser;
let api;
before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
  api = client(server);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('an alert is read, acknowledged, noted, closed and reopened', async () => {
  const alert = await openAlert(api);
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/alerts');
    await page.getByRole('link', { name: alert.title }).first().click();
    const detail = page.getByRole('region', { name: 'Alert', exact: true });
    for (const heading of ['What happened', 'Why it fired', 'Evidence', 'History', 'Deliveries']) {
      await detail.getByRole('heading', { name: heading }).waitFor();
    }
    await detail.getByRole('img', { name: `Measured ${alert.value}, threshold ${alert.threshold}` }).waitFor();
    await accessible(page, 'alert');

    await detail.getByRole('button', { name: /Acknowledge/ }).click();
    await page.getByText('Acknowledged, assigned to you').waitFor();
    const acknowledged = await api.get(`/alerts/${alert.id}`);
    assert.equal(acknowledged.status, 'acknowledged');
    assert.ok(acknowledged.assignee, 'acknowledging assigns');

    await page.keyboard.press('n');
    await page.keyboard.insertText('asked the shop team <b>now</b>');
    await detail.getByRole('button', { name: 'Keep note' }).click();
    await detail.getByText('asked the shop team <b>now</b>').waitFor();

    await page.locator('h2').first().click();
    await page.keyboard.press('c');
    const dialog = page.getByRole('dialog', { name: 'Close with a verdict' });
    await dialog.getByLabel('Wrong match').check();
    assert.ok(await dialog.getByRole('button', { name: 'Close the alert' }).isDisabled(), 'a verdict needs a reason');
    await dialog.getByLabel('Why').fill('load test');
    await accessible(page, 'verdict');
    await dialog.getByRole('button', { name: 'Close the alert' }).click();
    await detail.getByRole('button', { name: 'Reopen' }).waitFor();
    const closed = await api.get(`/alerts/${alert.id}`);
    assert.equal(closed.status, 'closed');
    assert.equal(closed.resolution.reason, 'false_positive');
    assert.equal(closed.resolution.comment, 'load test');

    await detail.getByRole('button', { name: 'Reopen' }).click();
    await detail.getByRole('button', { name: /Acknowledge/ }).waitFor();
    assert.equal((await api.get(`/alerts/${alert.id}`)).status, 'open');
  });
});

test('somebody else was faster: the alert is shown as it is', async () => {
  const alert = await openAlert(api);
  await withPage(browser, server, { allow: [/refused: POST .*\/alerts\/.* 4(09|12)/] }, async (page) => {
    await signIn(page, server, `/alerts/${alert.id}`);
    const button = page.getByRole('button', { name: /Acknowledge/ });
    await button.waitFor();
    await api.post(`/alerts/${alert.id}/ack`, {});
    await button.click();
    await page.getByText(/Somebody else changed this alert/).waitFor();
    await button.waitFor({ state: 'detached' });
    await api.post(`/alerts/${alert.id}/reopen`, {});
  });
});

test('keys move through the list, filters are in the address', async () => {
  await openAlert(api);
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/alerts?status=all');
    await page.locator('ol a').first().waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/alerts\/alt_/);
    const first = page.url();
    if ((await page.locator('ol a').count()) > 1) {
      await page.keyboard.press('j');
      await page.waitForFunction((url) => location.href !== url, first);
    }
    await page.keyboard.press('Escape');
    await page.waitForURL(/\/alerts\?status=all/);
    await page.getByLabel('Severity').selectOption('info');
    await page.waitForURL(/severity=info/);
    await accessible(page, 'alert list');
  });
});
