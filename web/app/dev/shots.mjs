// Screenshots of every page in both themes and widths against a running server.
//   node dev/shots.mjs OUT [search,alerts,…]; WARDLINE_URL, WARDLINE_KEY; needs playwright-core (npm ci in tests/e2e)
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../tests/e2e/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const [out, only = ''] = process.argv.slice(2);
const url = process.env.WARDLINE_URL ?? 'http://127.0.0.1:8321';
const key = process.env.WARDLINE_KEY ?? 'wl_mockkey001_0123456789abcdefghijABCDEFGHIJ0123456789abcdeabcdef';
mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
for (const [width, height] of [[1280, 800], [390, 844]]) {
  for (const colorScheme of ['dark', 'light']) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, baseURL: url, hasTouch: width < 500 });
    const page = await context.newPage();
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && console.log(message.type(), message.text()));
    page.on('pageerror', (error) => console.log('pageerror', error.message));
    const shot = async (name) => {
      await page.waitForTimeout(350);
      await page.screenshot({ path: `${out}/${name}-${width}-${colorScheme}.png` });
    };
    const wanted = (name) => !only || only.split(',').includes(name);
    await page.goto('/');
    await page.getByLabel('API key').waitFor();
    if (wanted('signin')) await shot('signin');
    await page.getByLabel('API key').fill(key);
    await page.keyboard.press('Enter');
    await page.locator('[aria-rowindex="2"]').waitFor();
    const events = await (await context.request.post('/api/v1/search', { data: { query: 'http.route:"/v1/orders/{id}/refund"', from: 'now-1h', to: 'now', limit: 1 }, headers: { authorization: `Bearer ${key}` } })).json();
    const refund = events.data[0]?.['correlation.id'];
    const alerts = await (await context.request.get('/api/v1/alerts?status=open', { headers: { authorization: `Bearer ${key}` } })).json();
    const pages = {
      search: '/search', filtered: '/search?q=http.response.status_code:>=400 -http.route:"/v1/login"',
      none: '/search?q=user.id:nobody http.request.method:GET', wrong: '/search?q=user.id:"u_1 AND (a',
      request: `/requests/${refund}`, requests: '/requests', alerts: '/alerts', alert: `/alerts/${alerts.data[1]?.id}`,
      rules: '/rules', keys: '/keys', webhooks: '/webhooks', status: '/status',
    };
    for (const [name, path] of Object.entries(pages)) {
      if (!wanted(name) && !(name === 'search' && wanted('drawer'))) continue;
      await page.goto(path);
      await page.waitForLoadState('networkidle');
      if (wanted(name)) await shot(name);
      if (name === 'search' && wanted('drawer')) {
        await page.locator('[aria-rowindex="4"]').click();
        await shot('drawer');
      }
    }
    if (wanted('hostile')) {
      await page.goto('/search?q=client.ip:192.0.2.200 http.response.status_code:404');
      await page.locator('[aria-rowindex="2"]').click();
      await shot('hostile');
    }
    await context.close();
  }
}
await browser.close();
