import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessible, idle, launch, row, signIn, withPage } from './browser.mjs';
import { someEvents, threeServices } from './fixtures.mjs';
import { client, start, until } from './server.mjs';

let server;
let browser;
let api;
before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
  api = client(server);
  await someEvents(api);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const param = (page, name) => new URL(page.url()).searchParams.get(name);
const facts = (page) => page.locator('.facts [role="status"]');

test('Enter runs the query and the address holds it', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search?from=now-24h');
    await row(page, 1).waitFor();
    const box = page.getByRole('combobox', { name: 'Query' });
    assert.equal(await page.getByRole('option').count(), 0, 'nothing pops up on load');
    await box.fill('http.response.status_code:>=400');
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=http\.response\.status_code/);
    await idle(page);
    await row(page, 1).waitFor();
    for (const text of await page.locator('[role="row"] .status').allInnerTexts()) {
      if (/^\d/.test(text)) assert.ok(Number(text) >= 400, text);
    }
    assert.match(await facts(page).innerText(), /events.*scanned/);
    await accessible(page, 'search');
    await page.goBack();
    assert.equal(param(page, 'q'), null);
    await page.waitForFunction(() => document.querySelector('[role=combobox]').value === '');
  });
});

test('a query that cannot be read shows where and does not lose the rows', async () => {
  await withPage(browser, server, { allow: [/refused: POST .*\/(search|aggregate) 4\d\d/] }, async (page) => {
    await signIn(page, server, '/search?from=now-24h');
    await row(page, 1).waitFor();
    await page.getByRole('combobox', { name: 'Query' }).fill('user.id:"u_1');
    await page.keyboard.press('Enter');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    await alert.getByText(/at character \d+/).waitFor();
    assert.ok((await alert.locator('mark').innerText()).length > 0, 'the place is marked');
    assert.ok(await row(page, 1).isVisible());
    await accessible(page, 'syntax error');
  });
});

test('suggestions come while typing and are chosen by keyboard', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search?from=now-24h');
    await row(page, 1).waitFor();
    const box = page.getByRole('combobox', { name: 'Query' });
    await box.pressSequentially('status_co');
    await page.getByRole('option').first().waitFor();
    await accessible(page, 'suggestions');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    assert.equal(await box.inputValue(), 'http.response.status_code:');
    assert.equal(param(page, 'q'), null, 'choosing does not run');
  });
});

test('suggestions come though the fields arrive after the last letter', async () => {
  await withPage(browser, server, {}, async (page) => {
    let answer;
    const typed = new Promise((done) => (answer = done));
    await page.route('**/api/v1/fields*', async (route) => {
      await typed;
      await route.continue();
    });
    await signIn(page, server, '/search?from=now-24h');
    await row(page, 1).waitFor();
    await page.getByRole('combobox', { name: 'Query' }).pressSequentially('status_co');
    answer();
    await page.getByRole('option').first().waitFor();
  });
});

test('dragging over the histogram zooms, Back undoes it, keys zoom too', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search?from=now-24h&q=http.response.status_code:*');
    await row(page, 1).waitFor();
    const plot = page.getByRole('application', { name: /Events over time/ });
    const box = await plot.boundingBox();
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width * 0.6, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.95, y, { steps: 6 });
    await page.mouse.up();
    await page.waitForURL(/from=20/);
    assert.equal(param(page, 'q'), 'http.response.status_code:*', 'the query is kept');
    assert.ok(Date.parse(param(page, 'to')) > Date.parse(param(page, 'from')));
    await page.goBack();
    assert.equal(param(page, 'from'), 'now-24h');
    await row(page, 1).waitFor();

    await plot.focus();
    await page.keyboard.press('End');
    await page.keyboard.press('Shift+ArrowLeft');
    await page.keyboard.press('Shift+ArrowLeft');
    await accessible(page, 'histogram with a choice');
    await page.keyboard.press('Enter');
    await page.waitForURL(/from=20/);
  });
});

test('the drawer shows one event, walks, filters for and out, and is in the address', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search?from=now-24h&q=http.response.status_code:*');
    await row(page, 1).click();
    const drawer = page.getByRole('region', { name: 'Event', exact: true });
    await drawer.waitFor();
    const first = param(page, 'sel');
    assert.ok(first);
    await accessible(page, 'drawer');
    await page.keyboard.press('j');
    await page.waitForFunction((id) => new URLSearchParams(location.search).get('sel') !== id, first);

    await drawer.getByRole('tab', { name: 'Fields' }).click();
    await drawer.getByLabel('Filter the fields').fill('status_code');
    assert.match(await drawer.innerText(), /http\.response\.status_code/);
    await accessible(page, 'fields');
    await drawer.getByRole('tab', { name: 'JSON' }).click();
    const json = JSON.parse(await drawer.locator('pre').innerText());
    assert.equal(json.id, param(page, 'sel'));
    await drawer.getByRole('tab', { name: 'JSON' }).press('ArrowRight');
    assert.equal(await drawer.getByRole('tab', { name: 'Overview' }).getAttribute('aria-selected'), 'true');

    await drawer.getByRole('button', { name: 'Filter for http.request.method' }).click();
    await page.waitForURL((url) => /http\.request\.method:/.test(url.searchParams.get('q')));
    await idle(page);
    await drawer.getByRole('button', { name: 'Filter out http.request.method' }).click();
    await page.waitForURL((url) => /-http\.request\.method:/.test(url.searchParams.get('q')));

    await page.reload();
    await drawer.waitFor();
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'detached' });
    assert.equal(param(page, 'sel'), null);
  });
});

test('a value of the list filters, a second click takes the filter away', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search?from=now-24h');
    const value = page.getByRole('complementary', { name: 'Most frequent values' }).getByRole('button', { name: /^Method = GET/ });
    await value.click();
    await page.waitForURL((url) => url.searchParams.get('q') === 'http.request.method:GET');
    await page.waitForFunction(() => document.querySelector('[aria-label^="Method = GET"]')?.ariaPressed === 'true');
    await value.click();
    await page.waitForURL((url) => !url.searchParams.has('q'));
  });
});

test('a time range is typed; nonsense is refused in words', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search');
    await row(page, 1).waitFor();
    await page.keyboard.press('d');
    const box = page.getByLabel('Range', { exact: true });
    await box.fill('soonish');
    await page.keyboard.press('Enter');
    await page.getByText(/Not understood/).waitFor();
    await accessible(page, 'time range');
    await box.fill('last 2 hours');
    await page.keyboard.press('Enter');
    await page.waitForURL(/from=now-2h/);
    await page.getByRole('button', { name: 'Time range: Last 2 h' }).waitFor();
  });
});

test('nothing found says what was looked at and which filter is to blame', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search?from=now-24h&q=http.response.status_code:* user.id:nobody-at-all');
    await page.getByRole('heading', { name: 'No events match' }).waitFor();
    const way = page.getByRole('button', { name: /without user\.id:nobody-at-all/ });
    await way.waitFor();
    await accessible(page, 'nothing found');
    await way.click();
    await row(page, 1).waitFor();
  });
});

test('nothing found says how much could not be parsed', async () => {
  await api.lines('{"path":"/cut-o', 'json');
  await until('an event that could not be parsed', async () => {
    const found = await api.post('/search', { query: 'event.notes:unparsed' });
    return found.data.length > 0;
  });
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search?from=now-24h&q=user.id:nobody-at-all');
    await page.getByText(/could not be parsed/).waitFor();
    await accessible(page, 'not parsed');
    await page.getByRole('button', { name: 'Show them' }).click();
    await page.waitForURL((url) => url.searchParams.get('q') === 'event.notes:unparsed');
    await row(page, 1).waitFor();
  });
});

test('a name that is no field is told, and the one that was meant is a click away', async () => {
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, '/search?from=now-24h&q=http.respnse.status_code:*');
    const way = page.getByRole('button', { name: 'Search for http.response.status_code instead' });
    await way.waitFor();
    await accessible(page, 'a hint');
    await way.click();
    await page.waitForURL((url) => url.searchParams.get('q') === 'http.response.status_code:*');
    await row(page, 1).waitFor();
  });
});

test('older events are loaded, and only the rows in view are in the document', async () => {
  const id = await threeServices(api);
  const many = Array.from({ length: 450 }, (_, at) => ({
    '@timestamp': new Date(Date.now() - 600_000 + at).toISOString(),
    'service.name': `many-${id}`,
    'http.response.status_code': 200,
    message: `line ${at}`,
  }));
  await api.ingest(many);
  await until('all events to be searchable', async () => {
    const found = await api.post('/search', { query: `service.name:"many-${id}"`, limit: 1, count: true });
    return found.stats.total === many.length;
  });
  await withPage(browser, server, {}, async (page) => {
    await signIn(page, server, `/search?from=now-24h&q=service.name:"many-${id}"`);
    const grid = page.getByRole('grid', { name: /Events/ });
    await facts(page).getByText('450 events').waitFor();
    const rows = () => grid.getAttribute('aria-rowcount').then((text) => Number(text) - 1);
    assert.equal(await rows(), 100);
    for (const expected of [200, 300, 400, 450]) {
      await grid.press('End');
      await page.getByRole('button', { name: 'Load older' }).click();
      await page.waitForFunction(
        (count) => document.querySelector('[role=grid]').getAttribute('aria-rowcount') === String(count + 1),
        expected,
      );
    }
    assert.equal(await page.getByRole('button', { name: 'Load older' }).count(), 0);
    assert.ok((await page.locator('[role="row"]').count()) < 120, 'few rows in the document');
    await grid.press('End');
    await page.getByText('line 0', { exact: true }).waitFor();
    await accessible(page, 'many rows');
  });
});
