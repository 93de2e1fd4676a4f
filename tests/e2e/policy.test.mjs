import assert from 'node:assert/strict';
import { gunzipSync, gzipSync } from 'node:zlib';
import { after, before, test } from 'node:test';

import { launch, row, signIn, withPage } from './browser.mjs';
import { hostile, HOSTILE, someEvents } from './fixtures.mjs';
import { client, start } from './server.mjs';

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; " +
  "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
  'trusted-types svelte-trusted-html';

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

test('pages carry the exact policy and may not be kept; assets may', async () => {
  for (const path of ['/', '/search', '/alerts/alt_x', '/requests/a.b']) {
    const answer = await fetch(server.url + path, { headers: { accept: 'text/html' } });
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers.get('content-security-policy'), CSP, path);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(answer.headers.get('referrer-policy'), 'no-referrer');
    assert.equal(answer.headers.get('cross-origin-opener-policy'), 'same-origin');
    assert.match(answer.headers.get('cache-control'), /no-store|no-cache/);
  }
  const html = await (await fetch(server.url)).text();
  const assets = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((match) => match[1]);
  assert.ok(assets.length >= 3);
  for (const path of assets) {
    const answer = await fetch(server.url + path);
    assert.equal(answer.status, 200, path);
    const hashed = /-[\w-]{8}\.\w+$/.test(path);
    assert.equal(/immutable/.test(answer.headers.get('cache-control')), hashed, path);
  }
  const api = await fetch(`${server.url}/api/v1/session`);
  assert.match(api.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  assert.equal(api.headers.get('cache-control'), 'no-store');
});

test('the first load is small and nothing comes from elsewhere', async () => {
  const html = await (await fetch(server.url)).text();
  assert.doesNotMatch(html, /https?:\/\/|<style|style=|<script>/);
  let [script, style] = [0, 0];
  for (const [, path] of html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)) {
    const bytes = Buffer.from(await (await fetch(server.url + path)).arrayBuffer());
    const plain = bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
    if (path.endsWith('.js')) script += gzipSync(plain, { level: 9 }).length;
    if (path.endsWith('.css')) style += gzipSync(plain, { level: 9 }).length;
  }
  assert.ok(script <= 90 * 1024, `${script} bytes of script`);
  assert.ok(style <= 15 * 1024, `${style} bytes of style`);
});

test('markup made from text and code made from text are blocked', async () => {
  await withPage(browser, server, { allow: [/^policy: (require-trusted-types-for|trusted-types|script-src)/, /^console: .*(Trusted|Content Security Policy)/] }, async (page) => {
    await page.goto('/');
    await page.getByLabel('API key').waitFor();
    const attempts = await page.evaluate(async () => {
      const outcome = (attempt) => {
        try {
          attempt();
          return 'worked';
        } catch (error) {
          return error.name;
        }
      };
      return {
        innerHTML: outcome(() => (document.createElement('div').innerHTML = '<img src=x>')),
        insert: outcome(() => document.body.insertAdjacentHTML('beforeend', '<b>x</b>')),
        script: outcome(() => (document.createElement('script').text = 'window.ran = 1')),
        policy: outcome(() => window.trustedTypes.createPolicy('mine', { createHTML: (text) => text })),
        // later, because what the debugger evaluates is exempt while it runs
        code: await new Promise((done) =>
          setTimeout(() => done(outcome(() => new Function('return 1')())), 0),
        ),
      };
    });
    assert.deepEqual(attempts, {
      innerHTML: 'TypeError',
      insert: 'TypeError',
      script: 'TypeError',
      policy: 'TypeError',
      code: 'EvalError',
    });
  });
});

test('an unsafe call with the cookie but without our header is refused', async () => {
  await withPage(browser, server, { allow: [/refused: POST .* 403/] }, async (page) => {
    await signIn(page, server, '/search');
    const status = await page.evaluate(() =>
      fetch('/api/v1/keys', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"name":"x","scopes":["admin"],"expires_in_days":1}',
      }).then((answer) => answer.status),
    );
    assert.equal(status, 403);
  });
});

test('hostile text stays text, and what hides is drawn', async () => {
  await someEvents(api);
  const id = await hostile(api);
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, `/requests/${id}`);
    const check = async (where) => {
      const found = await page.evaluate(() => ({
        elements: document.querySelectorAll('main img[src="x"], main script, main [onerror], main [onload]').length,
        links: [...document.querySelectorAll('main a')].filter(
          (link) => link.origin !== location.origin || link.protocol === 'javascript:',
        ).length,
        hidden: /[\u202a-\u202e\u2066-\u2069\u200b-\u200f\u0007\u001b]/.test(document.querySelector('main').textContent),
      }));
      assert.deepEqual(found, { elements: 0, links: 0, hidden: false }, where);
    };
    await page.getByRole('grid').waitFor();
    await check('request');
    await page.locator('[role="row"][aria-rowindex="2"]').click();
    const drawer = page.getByRole('region', { name: 'Event', exact: true });
    await drawer.getByText('Some values hold invisible characters').waitFor();
    await drawer.getByText('RLO', { exact: true }).first().waitFor();
    await drawer.getByText('ZWSP', { exact: true }).first().waitFor();
    await check('drawer');
    await drawer.getByRole('tab', { name: 'Fields' }).click();
    await drawer.getByText(HOSTILE[1]).first().waitFor();
    await check('fields');
    await drawer.getByRole('tab', { name: 'JSON' }).click();
    await check('JSON');

    await page.goto(`/search?from=now-1h&q=id:"${id}"`);
    await row(page, 1).waitFor();
    await check('search');
    await page.goto(`/search?q=${encodeURIComponent(HOSTILE[0])}&from=${encodeURIComponent(HOSTILE[2])}`).catch(() => null);
  }).catch((error) => {
    // a time range that is no time range may be refused by the server, and by nothing else
    if (!/refused: POST .*\/(search|aggregate) 4\d\d/.test(error.message)) throw error;
  });
});
