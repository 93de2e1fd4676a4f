// The server under test: one that runs already, the binary's demo, or the stand-in of web/app.
// What `wardline demo` prints is read here and nowhere else.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const app = join(here, '../../web/app');
const START_MS_MAX = 180_000;

const PATTERNS = {
  url: /listening on (https?:\/\/\S+)/,
  link: /(https?:\/\/\S+\/#setup=\S+)/,
  key: /\b(wl_[a-z0-9]+_[A-Za-z0-9]+)/,
};

/** @returns {Promise<{url: string, link: string, key: string, real: boolean, stop: () => Promise<void>}>} */
export async function start() {
  const env = process.env;
  if (env.WARDLINE_E2E_URL) {
    return { url: env.WARDLINE_E2E_URL, link: env.WARDLINE_E2E_LINK ?? '', key: env.WARDLINE_E2E_KEY ?? '', real: true, stop: async () => undefined };
  }
  const data = mkdtempSync(join(tmpdir(), 'wardline-e2e-'));
  const real = Boolean(env.WARDLINE_BIN);
  if (!real && !existsSync(join(app, 'dist/index.html'))) {
    throw new Error('Set WARDLINE_BIN, or build the pages first: npm --prefix web/app run build');
  }
  const [command, args] = real
    ? [env.WARDLINE_BIN, ['demo', '--listen', '127.0.0.1:0', '--data-dir', data]]
    : [process.execPath, [join(app, 'dev/mock.mjs'), '--listen', '127.0.0.1:0']];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = async () => {
    if (child.exitCode === null) {
      const gone = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await gone;
      clearTimeout(timer);
    }
    rmSync(data, { recursive: true, force: true });
  };
  try {
    return { ...(await printed(child)), real, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits until everything that is needed has been printed, on either stream. */
function printed(child) {
  return new Promise((done, fail) => {
    let text = '';
    const timer = setTimeout(() => fail(new Error(`server did not get ready:\n${text}`)), START_MS_MAX);
    child.once('error', fail);
    child.once('exit', (code) => fail(new Error(`server ended with ${code}:\n${text}`)));
    const read = (part) => {
      text += part;
      const found = Object.entries(PATTERNS).map(([name, pattern]) => [name, pattern.exec(text)?.[1]]);
      if (found.some(([, value]) => value === undefined)) return;
      clearTimeout(timer);
      done(Object.fromEntries(found));
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
  });
}

/** The API, called as a program would. */
export function client({ url, key }) {
  const call = async (method, path, body, type = 'application/json') => {
    const headers = { authorization: `Bearer ${key}` };
    if (body !== undefined) headers['content-type'] = type;
    const answer = await fetch(`${url}/api/v1${path}`, { method, headers, body });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  };
  return {
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, JSON.stringify(body)),
    ingest: (events) =>
      call('POST', '/ingest?format=ecs', events.map((event) => JSON.stringify(event)).join('\n'), 'application/x-ndjson'),
    lines: (text, format) => call('POST', `/ingest?format=${format}`, text, 'text/plain'),
  };
}

/** Asks until the answer is there; `what` is named when it never is. */
export async function until(what, ask, within = 30_000) {
  const end = Date.now() + within;
  for (;;) {
    const found = await ask().catch((error) => {
      if (Date.now() > end) throw error;
      return undefined;
    });
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what} did not happen within ${within} ms`);
    await new Promise((done) => setTimeout(done, 250));
  }
}
