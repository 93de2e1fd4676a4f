// A stand-in for the server: the API's shapes over seeded data, the pages from dist/ with the
// headers of the real server (read from web/src/lib.rs). Prints what `wardline demo` prints.
//   node dev/mock.mjs [--listen 127.0.0.1:8321] [--dist DIR] [--api URL]
// With --api the calls go to a real server: new pages before an old binary's data.
import { createServer } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { make } from './data.mjs';
import { compile, QueryError } from './query.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const flag = (name, fallback) => {
  const at = process.argv.indexOf(name);
  return at === -1 ? fallback : process.argv[at + 1];
};
const [host, port] = flag('--listen', '127.0.0.1:8321').split(':');
process.on('SIGTERM', () => process.exit(0));
const behind = flag('--api', '');
const dist = flag('--dist', join(here, '../dist'));
const rust = readFileSync(join(here, '../../src/lib.rs'), 'utf8');
const CSP = /CSP: &str =\s*"([\s\S]*?)";/.exec(rust)[1].replace(/\\\n\s*/g, '');

const KEY = 'wl_mockkey001_0123456789abcdefghijABCDEFGHIJ0123456789abcdeabcdef';
const TOKEN = 'setup-token-once';
let tokenUsed = false;
const data = make({});
const sessions = new Set();
const keys = [
  { id: 'mockkey001', name: 'demo', scopes: ['admin'], created_at: new Date(data.now - 9e7).toISOString(), expires_at: new Date(data.now + 77e8).toISOString(), last_used_at: new Date(data.now - 3e4).toISOString(), revoked_at: null, status: 'live', created_by: 'wardline' },
  { id: 'k7shipper2', name: 'edge shipper', scopes: ['ingest'], created_at: new Date(data.now - 5e8).toISOString(), expires_at: new Date(data.now + 4e8).toISOString(), last_used_at: new Date(data.now - 2e3).toISOString(), revoked_at: null, status: 'live', created_by: 'demo' },
];
const webhooks = [
  { id: 'wh_1', url: 'https://hooks.example/soc', description: 'SOC channel', severity_min: 'medium', rules: [], state: 'enabled', reason: null, health: { pending: 0, attempts: 41, exhausted: 0, failing_since: null, hold_until: null, succeeded_at: new Date(data.now - 1e6).toISOString() } },
  { id: 'wh_2', url: 'https://pager.example/in', description: 'Pager', severity_min: 'critical', rules: [], state: 'disabled', reason: 'failing', health: { pending: 3, attempts: 12, exhausted: 4, failing_since: new Date(data.now - 9e6).toISOString(), hold_until: null, succeeded_at: null } },
];
const RULE_TEXT = `title: Object enumeration
id: 0f5c1a20-4c1b-4f4e-9d1a-3b1f2a6c7d00
status: stable
description: One user asks for many different objects of one kind in a short time.
logsource:
  category: api
correlation:
  type: value_count
  group-by: [user.id, http.route]
  timespan: 10m
  condition:
    field: object.id
    gte: 50
level: critical
`;
const rules = [...new Map(data.alerts.map((a) => [a.rule.name, a])).values()].map((a, at) => ({ id: a.rule.id, title: a.rule.name, level: a.severity, status: 'stable', description: a.summary, line: 1, active: at !== 4, revision: 'a41f0c9be2d87731', tags: a.rule.tags, kind: at % 2 ? 'event_count' : 'value_count', file: `rules/api/${a.rule.name.toLowerCase().replace(/ /g, '_')}.yml`, text: RULE_TEXT}));
const FIELDS = [['http.response.status_code', 'int', 'Status code.'], ['http.request.method', 'keyword', 'Method, upper case.'], ['http.route', 'keyword', 'Route template: given, or guessed from the path.'], ['url.path', 'text', 'Path without the query.'], ['client.ip', 'ip', 'Address of the client behind the trusted proxies.'], ['client.geo.country_iso_code', 'keyword', 'Country of the client, two letters.'], ['user.id', 'keyword', 'Id of the user.'], ['user.name', 'keyword', 'Name of the user.'], ['service.name', 'keyword', 'The service that wrote the event.'], ['event.action', 'keyword', 'What was done: api.request, auth.attempt, ….'], ['event.outcome', 'keyword', 'success, failure or unknown.'], ['correlation.id', 'id', 'The id that ties the events of one request together.'], ['trace.id', 'id', 'W3C trace id.'], ['message', 'text', 'What happened, in words.']].map(([name, kind, doc]) => ({ name, kind, doc }));

class Refusal extends Error {
  constructor(status, code, detail, errors) {
    super(detail);
    Object.assign(this, { status, code, errors });
  }
}
const moment = (text) => {
  const match = /^now(?:-(\d+)([smhdw]))?$/.exec(text);
  if (!match) return Date.parse(text);
  return Date.now() - (match[1] ?? 0) * ({ s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 }[match[2]] ?? 0);
};
const whole = (list) => ({ data: list, page: { next_cursor: null, limit: list.length } });
const stats = (took, total) => ({ total, total_relation: 'eq', scanned: data.events.length, searched_segments: 3, complete_until: new Date().toISOString(), lag_events: 0, took_ms: took });

function matching({ query = '', from = 'now-1h', to = 'now' }) {
  const [start, end] = [moment(from), moment(to)];
  try {
    const matches = compile(query);
    return data.events.filter((event) => {
      const at = Date.parse(event['@timestamp']);
      return at >= start && at < end && matches(event);
    });
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    const detail = `${error.message} (column ${error.position + 1})`;
    throw new Refusal(422, 'query_invalid', detail, [{ pointer: '/query', code: 'query_invalid', detail }]);
  }
}

function search(body) {
  const found = matching(body);
  if (body.sort === 'asc') found.reverse();
  const at = body.cursor ? Number(body.cursor) : 0;
  const limit = body.limit ?? 100;
  const next = at + limit < found.length ? String(at + limit) : null;
  return { data: found.slice(at, at + limit), page: { next_cursor: next, limit }, stats: stats(4.2, body.count ? found.length : null) };
}

function aggregate(body) {
  const found = matching(body);
  const aggs = {};
  for (const [name, agg] of Object.entries(body.aggs)) {
    if (agg.histogram) {
      const [start, end] = [moment(body.from), moment(body.to)];
      const step = [1e3, 5e3, 1e4, 3e4, 6e4, 3e5, 9e5, 36e5, 108e5, 864e5].find((s) => (end - start) / s <= 80) ?? 864e5;
      const buckets = new Map();
      for (let at = Math.floor(start / step) * step; at < end; at += step) buckets.set(at, { key: new Date(at).toISOString(), count: 0, split: {} });
      for (const event of found) {
        const bucket = buckets.get(Math.floor(Date.parse(event['@timestamp']) / step) * step);
        if (!bucket) continue;
        bucket.count++;
        const status = event['http.response.status_code'];
        if (status) bucket.split[`${String(status)[0]}xx`] = (bucket.split[`${String(status)[0]}xx`] ?? 0) + 1;
      }
      aggs[name] = { buckets: [...buckets.values()] };
    } else {
      const counts = new Map();
      let missing = 0;
      for (const event of found) {
        const value = event[agg.terms.field];
        if (value === undefined) missing++;
        else counts.set(value, (counts.get(value) ?? 0) + 1);
      }
      const all = [...counts].sort((a, b) => b[1] - a[1]).map(([key, count]) => ({ key, count }));
      aggs[name] = { buckets: all.slice(0, agg.terms.size), other: all.slice(agg.terms.size).reduce((sum, b) => sum + b.count, 0), missing };
    }
  }
  return { aggs, stats: stats(2.1, null) };
}

function story(id) {
  const found = data.events.filter((event) => ['correlation.id', 'trace.id', 'http.request.id', 'session.id'].some((name) => event[name] === id));
  if (found.length === 0) throw new Refusal(404, 'not_found', 'No event carries this id.');
  const events = found.map((event) => ({ ...event, start: new Date(Date.parse(event['@timestamp']) - (event['event.duration'] ?? 0) / 1e6).toISOString(), lane: event['service.name'] })).sort((a, b) => (a.start < b.start ? -1 : 1));
  const services = [...new Set(events.map((e) => e.lane))].map((name) => {
    const own = events.filter((e) => e.lane === name);
    return { name, start: own[0].start, end: own.map((e) => e['@timestamp']).sort().at(-1), events: own.length };
  });
  const end = events.map((e) => e['@timestamp']).sort().at(-1);
  const alerts = data.alerts.filter((a) => a.evidence.some((e) => found.includes(e) || found.some((f) => f.id === e.id))).map(({ id, title, severity, status }) => ({ id, title, severity, status }));
  return { id, matched_by: 'correlation.id', events, services, start: events[0].start, end, duration_ms: Date.parse(end) - Date.parse(events[0].start), alerts, stats: stats(0.6, events.length) };
}

const shown = ({ evidence, history, deliveries, ...alert }) => alert;
const one = (list, id) => list.find((entry) => entry.id === id) ?? (() => { throw new Refusal(404, 'not_found', 'Not found.'); })();

function act(alert, verb, body) {
  const now = new Date().toISOString();
  const from = alert.status;
  const actor = 'demo';
  if (verb === 'ack') Object.assign(alert, { status: 'acknowledged', assignee: body.assignee ?? actor, acknowledged_at: now });
  else if (verb === 'close') Object.assign(alert, { status: 'closed', resolution: { ...body, by: actor, at: now } });
  else if (verb === 'reopen') Object.assign(alert, { status: 'open', resolution: null });
  alert.version++;
  alert.updated_at = now;
  alert.history.push({ seq: alert.history.length + 1, at: now, actor, action: { ack: 'acknowledged', close: 'closed', reopen: 'reopened', notes: 'noted' }[verb], from, to: alert.status, note: body.comment ?? body.text ?? body.note ?? null });
  return shown(alert);
}

function ingest(text) {
  let accepted = 0;
  for (const line of text.split('\n').filter((entry) => entry.trim())) {
    const raw = JSON.parse(line);
    const now = new Date().toISOString();
    const map = { method: 'http.request.method', path: 'url.path', route: 'http.route', status: 'http.response.status_code', client_ip: 'client.ip', user: 'user.id', request_id: 'http.request.id', user_agent: 'user_agent.original', service: 'service.name', message: 'message' };
    const event = { id: `evt_${Math.random().toString(36).slice(2).padEnd(26, '0').slice(0, 26)}`, '@timestamp': raw.timestamp ?? now, 'event.ingested': now };
    for (const [name, value] of Object.entries(raw)) event[map[name] ?? (/[.@]/.test(name) || name === 'message' ? name : `ext.${name}`)] = value;
    if (raw.duration_ms) event['event.duration'] = raw.duration_ms * 1e6;
    event['correlation.id'] ??= event['http.request.id'];
    if (event['url.path'] && !event['http.route']) event['http.route'] = event['url.path'];
    data.events.push(event);
    accepted++;
  }
  data.events.sort((a, b) => (a['@timestamp'] < b['@timestamp'] ? 1 : -1));
  return { accepted, flagged: 0 };
}

function api(method, path, params, body, version) {
  const [, , noun, id, verb] = path.split('/').slice(1).map(decodeURIComponent);
  const call = `${method} ${noun}${id === undefined ? '' : '/ID'}${verb ? `/${verb}` : ''}`;
  switch (call) {
    case 'POST search': return search(body);
    case 'POST aggregate': return aggregate(body);
    case 'GET requests/ID': return story(id);
    case 'GET events/ID': return one(data.events, id);
    case 'GET fields': return whole(FIELDS);
    case 'GET sources': return whole(['edge-1', 'auth', 'orders', 'postgres'].map((name, at) => ({ name, first_seen: new Date(data.now - 9e7).toISOString(), last_seen: new Date(data.now - at * at * 7e5).toISOString(), events: data.events.filter((e) => e['event.provider'] === name).length })));
    case 'GET status': return { version: '0.1.0', time: new Date().toISOString(), alerts: Object.fromEntries(['open', 'acknowledged', 'closed'].map((status) => [status, Object.fromEntries(['critical', 'high', 'medium', 'low', 'info'].map((severity) => [severity, data.alerts.filter((a) => a.status === status && a.severity === severity).length]))])), log: { first: 0, end: data.events.length, segments: 1, bytes: 9_123_456 }, index: { visible: data.events.length, lag_events: 0, segments: 3, bytes: 2_412_000 }, detect: { offset: data.events.length, lag_events: 0, rules: rules.length } };
    case 'GET alerts': {
      const list = data.alerts.filter((a) => (!params.get('status') || params.get('status').split(',').includes(a.status)) && (!params.get('severity') || a.severity === params.get('severity')) && (!params.get('rule') || a.rule.id === params.get('rule')) && (!params.get('q') || JSON.stringify(a).toLowerCase().includes(params.get('q').toLowerCase())));
      return { data: list.map(shown), page: { next_cursor: null, limit: 100 } };
    }
    case 'GET alerts/ID': return shown(one(data.alerts, id));
    case 'GET alerts/ID/history': return whole(one(data.alerts, id).history);
    case 'GET alerts/ID/events': return whole(one(data.alerts, id).evidence);
    case 'GET alerts/ID/deliveries': return whole(one(data.alerts, id).deliveries);
    case 'POST alerts/ID/ack': case 'POST alerts/ID/close': case 'POST alerts/ID/reopen': case 'POST alerts/ID/notes':
      if (version && version !== `"${one(data.alerts, id).version}"`) throw new Refusal(412, 'version_mismatch', 'The alert has changed.');
      return act(one(data.alerts, id), verb, body);
    case 'GET rules': return { ...whole(rules), errors: [{ file: 'rules/api/draft.yml', line: 9, message: 'unknown modifier "containz", did you mean "contains"?' }] };
    case 'GET rules/ID': return one(rules, id);
    case 'GET keys': return whole(keys);
    case 'POST keys': {
      const key = { id: Math.random().toString(36).slice(2, 12), name: body.name, scopes: body.scopes, created_at: new Date().toISOString(), expires_at: new Date(Date.now() + body.expires_in_days * 864e5).toISOString(), last_used_at: null, revoked_at: null, status: 'live', created_by: 'demo' };
      keys.push(key);
      return { ...key, key: `wl_${key.id}_${'x'.repeat(43)}abcdef` };
    }
    case 'POST keys/ID/rotate': return { ...one(keys, id), key: `wl_${id}_${'y'.repeat(43)}abcdef` };
    case 'DELETE keys/ID': Object.assign(one(keys, id), { revoked_at: new Date().toISOString(), status: 'revoked' }); return null;
    case 'GET webhooks': return whole(webhooks);
    case 'POST webhooks': {
      if (/^http:|127\.|169\.254|localhost/.test(body.url)) throw new Refusal(422, 'input_invalid', '', [{ pointer: '/url', code: 'invalid_value', detail: 'the address is not public' }]);
      const hook = { id: `wh_${webhooks.length + 1}`, state: 'enabled', reason: null, rules: [], severity_min: null, ...body };
      webhooks.push(hook);
      return { ...hook, secret: `whsec_${'m'.repeat(32)}` };
    }
    case 'DELETE webhooks/ID': webhooks.splice(webhooks.indexOf(one(webhooks, id)), 1); return null;
    case 'POST webhooks/ID/test': return { ok: true, status: 200, error: null, duration_ms: 142, response_head: '' };
    case 'PATCH webhooks/ID': return Object.assign(one(webhooks, id), body);
    case 'POST webhooks/ID/rotate-secret': return { secret: `whsec_${'n'.repeat(32)}` };
    case 'GET webhooks/ID/deliveries': return whole(data.alerts.flatMap((a) => a.deliveries).filter((d) => d.endpoint_id === one(webhooks, id).id));
    case 'POST ingest': return ingest(body);
    default: throw new Refusal(404, 'not_found', `No route ${call}.`);
  }
}

const SECURITY = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-opener-policy': 'same-origin', 'cross-origin-resource-policy': 'same-origin' };
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };

function session(request, method, body, reply) {
  if (method === 'POST') {
    const good = body.key === KEY || (body.token === TOKEN && !tokenUsed);
    if (body.token === TOKEN) tokenUsed = true;
    if (!good) throw new Refusal(401, 'unauthenticated', 'Not valid.');
    const id = Math.random().toString(36).slice(2);
    sessions.add(id);
    reply.setHeader('set-cookie', `wardline_session=${id}; HttpOnly; SameSite=Strict; Path=/`);
    return { name: 'demo', scopes: ['admin'], expires_at: new Date(Date.now() + 432e5).toISOString() };
  }
  const id = /wardline_session=(\w+)/.exec(request.headers.cookie ?? '')?.[1];
  if (!sessions.has(id)) throw new Refusal(401, 'unauthenticated', 'Sign in first.');
  if (method === 'DELETE') {
    sessions.delete(id);
    return null;
  }
  return { name: 'demo', scopes: ['admin'], expires_at: new Date(Date.now() + 432e5).toISOString() };
}

const server = createServer(async (request, reply) => {
  const url = new URL(request.url, 'http://x');
  const method = request.method;
  const requestId = `req_${Math.random().toString(36).slice(2)}`;
  for (const [name, value] of Object.entries(SECURITY)) reply.setHeader(name, value);
  if (!url.pathname.startsWith('/api/')) {
    const file = join(dist, /^\/(assets\/.*|[^/]*\.\w+)$/.test(url.pathname) ? url.pathname : 'index.html');
    if (!existsSync(file)) return reply.writeHead(404).end();
    reply.setHeader('content-security-policy', CSP);
    reply.setHeader('cache-control', /-[\w-]{8}\.\w+$/.test(file) ? 'public, max-age=31536000, immutable' : 'no-cache');
    return reply.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'text/plain' }).end(readFileSync(file));
  }
  reply.setHeader('content-security-policy', "default-src 'none'; sandbox");
  reply.setHeader('cache-control', 'no-store');
  reply.setHeader('x-request-id', requestId);
  let text = '';
  for await (const part of request) text += part;
  if (behind) {
    const { host: _host, connection: _connection, 'content-length': _length, ...headers } = request.headers;
    const answer = await fetch(behind + request.url, { method, headers, body: text || undefined });
    const kept = Object.fromEntries([...answer.headers].filter(([name]) => !/^(content-encoding|content-length|transfer-encoding|connection)$/.test(name)));
    return reply.writeHead(answer.status, kept).end(Buffer.from(await answer.arrayBuffer()));
  }
  try {
    const bearer = request.headers.authorization === `Bearer ${KEY}`;
    if (method !== 'GET' && !bearer && request.headers['x-wardline-csrf'] !== '1') throw new Refusal(403, 'cross_site', 'Header x-wardline-csrf is missing.');
    const body = url.pathname.endsWith('/ingest') ? text : text ? JSON.parse(text) : {};
    let answer;
    if (url.pathname === '/api/v1/session') answer = session(request, method, body, reply);
    else {
      if (!bearer) session(request, 'GET', {}, reply);
      answer = api(method, url.pathname, url.searchParams, body, request.headers['if-match']);
    }
    if (answer === null) reply.writeHead(204).end();
    else reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  } catch (error) {
    const status = error instanceof Refusal ? error.status : 500;
    if (status === 500) console.error(error);
    reply.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ type: `urn:wardline:problem:${error.code}`, title: error.code, status, code: error.code, detail: error.message, correlation_id: requestId, errors: error.errors }));
  }
});
server.listen(Number(port), host, () => {
  const base = `http://${host}:${server.address().port}`;
  console.log(`listening on ${base}`);
  console.log(`sign in: ${base}/#setup=${TOKEN}`);
  console.log(`key: ${KEY}`);
});
