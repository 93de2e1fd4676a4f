import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessible, idle, launch, row, signIn, withPage } from './browser.mjs';
import { openAlert, someEvents } from './fixtures.mjs';
import { client, start } from './server.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
  await someEvents(client(server));
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('a search is worked through without a mouse', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search?from=now-24h');
    await row(page, 1).waitFor();
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'combobox');
    await page.keyboard.insertText('http.response.status_code:*');
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=/);
    await page.keyboard.press('Escape');
    await idle(page);
    await row(page, 1).waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    const drawer = page.getByRole('region', { name: 'Event', exact: true });
    await drawer.waitFor();
    assert.equal(await row(page, 2).getAttribute('aria-selected'), 'true');
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'detached' });

    const grid = page.getByRole('grid');
    await grid.focus();
    await page.keyboard.press('ArrowDown');
    const active = await grid.getAttribute('aria-activedescendant');
    assert.ok(await page.locator(`[id="${active}"]`).isVisible(), 'the active row is announced');
  });
});

test('g and a letter go to pages, ? shows the keys, Escape returns the focus', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search');
    for (const [letter, path] of [['a', '/alerts'], ['r', '/requests'], ['u', '/rules'], ['w', '/webhooks'], ['k', '/keys'], ['t', '/status'], ['s', '/search']]) {
      await page.keyboard.press('g');
      await page.keyboard.press(letter);
      await page.waitForURL(`**${path}`);
    }
    const help = page.getByRole('button', { name: 'Keyboard help' });
    await help.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Keyboard' });
    await dialog.waitFor();
    await accessible(page, 'keyboard help');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.ok(await help.evaluate((element) => element === document.activeElement), 'focus is back');
  });
});

test('everything in the tab order shows its focus and has a name', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search?from=now-24h');
    await row(page, 1).waitFor();
    await page.locator('body').press('Tab');
    const seen = [];
    for (let at = 0; at < 25; at++) {
      const focus = await page.evaluate(() => {
        const element = document.activeElement;
        const style = getComputedStyle(element);
        const box = element.getBoundingClientRect();
        return {
          what: element.outerHTML.slice(0, 90),
          name: element.getAttribute('aria-label') || element.textContent.trim() || element.title,
          ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
          big: box.width >= 20 && box.height >= 20,
        };
      });
      if (focus.what.startsWith('<body')) break;
      seen.push(focus);
      await page.keyboard.press('Tab');
    }
    assert.ok(seen.length > 12);
    assert.deepEqual(seen.filter((focus) => !focus.name || !focus.ring || !focus.big), []);
  });
});

test('alerts are triaged by keys alone', async () => {
  const alert = await openAlert(client(server));
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, `/alerts/${alert.id}`);
    await page.getByRole('button', { name: /Acknowledge/ }).waitFor();
    await page.keyboard.press('a');
    await page.getByText('Acknowledged, assigned to you').waitFor();
    await page.keyboard.press('c');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });
});
