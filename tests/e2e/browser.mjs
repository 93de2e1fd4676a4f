// A page that fails the test on anything a user's console would show as wrong.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const ARTIFACTS = new URL('artifacts/', import.meta.url);

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });

/**
 * Opens a page, runs `use` with it and fails if anything went wrong that `allow` does not name:
 * a console message, an exception, a refused or failed request, a violation of the policy.
 */
export async function withPage(browser, server, options, use) {
  const { allow = [], ...contextOptions } = options;
  const context = await browser.newContext({
    baseURL: server.url,
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    ...contextOptions,
  });
  const wrong = [];
  const note = (text) => {
    if (!allow.some((pattern) => pattern.test(text))) wrong.push(text);
  };
  await context.exposeBinding('reportViolation', (_source, text) => note(`policy: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      window.reportViolation(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on('console', (message) => {
    // a refused request is noted below, with its address
    if (message.type() === 'error' && !/^Failed to load resource/.test(message.text())) {
      note(`console: ${message.text()}`);
    }
  });
  page.on('pageerror', (error) => note(`exception: ${error.message}`));
  page.on('dialog', (dialog) => {
    note(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? '';
    if (reason !== 'net::ERR_ABORTED') note(`failed: ${request.url()} ${reason}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) {
      note(`refused: ${response.request().method()} ${response.url()} ${response.status()}`);
    }
  });
  try {
    await use(page, context);
  } catch (error) {
    await shot(page, `failed-${Date.now()}`).catch(() => undefined);
    if (wrong.length > 0) error.message += `\n  also: ${wrong.join('\n  also: ')}`;
    throw error;
  } finally {
    await context.close();
  }
  assert.deepEqual(wrong, []);
}

/** Signs in the way a person does. */
export async function signIn(page, server, path = '/') {
  await page.goto('/');
  await page.getByLabel('API key').fill(server.key);
  await page.keyboard.press('Enter');
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  if (path === '/') return;
  await page.goto(path);
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
}

/** Fails on anything axe finds against WCAG 2.2 AA. */
export async function accessible(page, what) {
  await page.evaluate(AXE);
  const found = await page.evaluate(
    (tags) => window.axe.run(document, { runOnly: { type: 'tag', values: tags } }),
    TAGS,
  );
  const list = found.violations.map(
    (violation) =>
      `${violation.id}: ${violation.nodes.map((node) => `${node.target.join(' ')} (${node.any[0]?.message ?? violation.help})`).join('; ')}`,
  );
  assert.deepEqual(list, [], what);
  assert.ok(found.passes.length > 5, `axe looked at ${what}`);
}

export async function shot(page, name) {
  mkdirSync(ARTIFACTS, { recursive: true });
  await page.screenshot({ path: new URL(`${name}.png`, ARTIFACTS).pathname });
}

export const row = (page, at) => page.locator(`[role="row"][aria-rowindex="${at + 1}"]`);

/** Waits until no search runs. */
export const idle = (page) =>
  page.waitForFunction(() => !document.querySelector('.run')?.textContent.includes('Stop'));
