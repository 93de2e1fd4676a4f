// Events the tests send themselves, so that they hold against any server.
import { randomUUID } from 'node:crypto';

import { until } from './server.mjs';

/** One request through three services, with 80 ms nobody accounts for at its end. */
export async function threeServices(api) {
  const id = randomUUID();
  const end = Date.now() - 30_000;
  const event = (service, finished, took, more = {}) => ({
    '@timestamp': new Date(end + finished).toISOString(),
    'service.name': service,
    'http.request.id': id,
    'http.request.method': 'POST',
    'url.path': '/v1/transfers/4711/confirm',
    'event.duration': took * 1_000_000,
    'client.ip': '203.0.113.50',
    'user.id': 'u_e2e',
    ...more,
  });
  await api.ingest([
    event('edge', 0, 400, { 'http.response.status_code': 200, message: 'POST /v1/transfers/4711/confirm 200' }),
    event('login', -340, 40, { message: 'token accepted' }),
    event('transfers', -80, 260, { 'http.response.status_code': 200, message: 'transfer confirmed' }),
  ]);
  await until('three events of the request', async () => (await api.get(`/requests/${id}`)).events.length === 3);
  return id;
}

export const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '<script>alert(2)</script>',
  '"><svg onload=alert(3)>',
  'javascript:alert(4)',
  'invoice\u202efdp.exe',
  'pay\u200bpal',
  'bell\u0007 escape\u001b[31m',
  'https://evil.example/click',
];

/** An event whose every text is hostile. */
export async function hostile(api) {
  const id = randomUUID();
  const fields = Object.fromEntries(HOSTILE.map((text, at) => [`custom_${at}`, text]));
  await api.ingest([
    {
      '@timestamp': new Date(Date.now() - 5000).toISOString(),
      'http.request.id': id,
      'http.request.method': 'GET',
      'url.path': `/${HOSTILE[0]}`,
      'http.response.status_code': 404,
      'service.name': HOSTILE[2],
      'user.id': HOSTILE[1],
      'user_agent.original': HOSTILE[6],
      'client.ip': '192.0.2.66',
      message: HOSTILE.join(' '),
      ...fields,
    },
  ]);
  await until('the hostile event', async () => (await api.get(`/requests/${id}`)).events.length === 1);
  return id;
}

/** Waits for an open alert of the demo's attacks. */
export const openAlert = (api) =>
  until('an open alert', async () => (await api.get('/alerts?status=open')).data[0], 60_000);

/** Waits until there is something to search. */
export const someEvents = (api) =>
  until(
    'a searchable event with a status',
    async () =>
      (await api.post('/search', { query: 'http.response.status_code:>=200', from: 'now-24h', to: 'now', limit: 1 })).data[0],
    60_000,
  );
