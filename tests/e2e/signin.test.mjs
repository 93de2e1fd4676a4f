import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessible, launch, signIn, withPage } from './browser.mjs';
import { start } from './server.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('the link signs in once and leaves no token in the address', async (t) => {
  if (!server.link) return t.skip('no link was given');
  await withPage(browser, server, {}, async (page) => {
    await page.goto(server.link);
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    assert.equal(new URL(page.url()).hash, '');
    assert.equal(new URL(page.url()).pathname, '/search');
    await page.reload();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  });
  await withPage(browser, server, { allow: [/refused: POST .*\/session 401/] }, async (page) => {
    await page.goto(server.link);
    await page.getByRole('alert').getByText('has been used or has expired').waitFor();
    assert.equal(new URL(page.url()).hash, '');
  });
});

test('a wrong key is refused with a reason, the right one signs in, signing out ends it', async () => {
  await withPage(browser, server, { allow: [/refused: POST .*\/session 40[01]/] }, async (page, context) => {
    await page.goto('/alerts?status=closed');
    const box = page.getByLabel('API key');
    await accessible(page, 'sign-in');
    await box.fill('wl_wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await accessible(page, 'sign-in with a failure');
    await box.fill(server.key);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Alerts', exact: true }).waitFor();
    assert.equal(new URL(page.url()).search, '?status=closed', 'the address asked for is kept');

    const cookie = (await context.cookies()).find((one) => one.name === 'wardline_session');
    assert.ok(cookie?.httpOnly, 'no script can read the cookie');
    assert.equal(cookie.sameSite, 'Strict');

    await page.getByRole('button', { name: /Sign out/ }).click();
    await page.getByLabel('API key').waitFor();
  });
});

test('a session that ended leads back to the sign-in', async () => {
  await withPage(browser, server, { allow: [/refused: .* 401/] }, async (page, context) => {
    await signIn(page, server, '/search');
    await context.clearCookies();
    // asking for anything is enough; the page may have asked by itself already
    await page.getByRole('button', { name: 'Run' }).click({ timeout: 3000 }).catch(() => undefined);
    await page.getByLabel('API key').waitFor();
  });
});
