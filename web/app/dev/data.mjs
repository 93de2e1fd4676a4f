// Seeded data in the API's shapes, for working on the pages without a server.

function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const ROUTES = [
  ['GET', '/v1/orders', 24], ['GET', '/v1/orders/{id}', 30], ['POST', '/v1/orders', 8],
  ['POST', '/v1/login', 10], ['GET', '/v1/users/{id}', 14], ['PUT', '/v1/users/{id}/address', 3],
  ['GET', '/v1/products', 26], ['GET', '/v1/products/{id}', 30], ['DELETE', '/v1/cart/{id}', 4],
  ['POST', '/v1/payments', 6], ['POST', '/v1/orders/{id}/refund', 2], ['GET', '/healthz', 6],
];
const USERS = ['u_1042', 'u_2210', 'u_3391', 'u_4127', 'u_5008', 'u_6644', 'u_7219', 'u_8812'];
const PLACES = [
  ['198.51.100.7', 'DE', 64501, 'Example Hosting'], ['203.0.113.9', 'FR', 64500, 'Transit SA'],
  ['203.0.113.77', 'US', 64510, 'Cloudline Inc'], ['192.0.2.44', 'BR', 64520, 'Rede Sul'],
  ['2001:db8:40::1f', 'NL', 64530, 'Polder Net'], ['198.51.100.120', 'DE', 64501, 'Example Hosting'],
];
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0',
  'okhttp/5.1.0', 'python-requests/2.32.4', 'shop-ios/8.2 (iPhone16,2; iOS 19.1)',
];
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

export function make({ now = Date.now(), seed = 7, requests = 1800 } = {}) {
  const rnd = random(seed);
  const pick = (list) => list[Math.floor(rnd() * list.length)];
  const hex = (n) => Array.from({ length: n }, () => Math.floor(rnd() * 16).toString(16)).join('');
  const code = (n) => Array.from({ length: n }, () => ALPHABET[Math.floor(rnd() * 32)]).join('');
  const weights = ROUTES.flatMap((route) => Array(route[2]).fill(route));
  const events = [];
  const add = (at, fields) => {
    const event = { id: `evt_${code(26)}`, '@timestamp': new Date(at).toISOString(), 'event.ingested': new Date(at + 180).toISOString() };
    events.push(Object.assign(event, fields));
    return event;
  };

  function request(at, { route, user, place, status, message } = {}) {
    const [method, template] = route ?? pick(weights);
    const [ip, country, asn, org] = place ?? pick(PLACES);
    const who = user ?? pick(USERS);
    const object = String(10_000 + Math.floor(rnd() * 900));
    const path = template.replace('{id}', object);
    const good = method === 'POST' && template === '/v1/orders' ? 201 : 200;
    const result = status ?? (rnd() < 0.015 ? pick([500, 502, 503]) : rnd() < 0.08 ? pick([400, 401, 403, 404, 429]) : rnd() < 0.06 ? 304 : good);
    const took = 12 + rnd() * rnd() * 480;
    const id = `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
    const trace = hex(32);
    const common = {
      'correlation.id': id, 'trace.id': trace, 'http.request.id': id, 'session.id': `[R:session:k1:${code(16).replace(/[0189]/g, 'm')}]`,
      'client.ip': ip, 'client.geo.country_iso_code': country, 'client.as.number': asn, 'client.as.organization.name': org,
      'http.request.method': method, 'http.route': template, 'url.path': path,
    };
    const http = { ...common, 'network.class': 'public', 'http.response.status_code': result, 'user_agent.original': pick(AGENTS), 'url.domain': 'api.shop.example', 'http.version': '2' };
    const outcome = result < 400 ? 'success' : 'failure';
    const end = at + took;
    add(end, { ...http, 'event.kind': 'event', 'event.category': 'web', 'event.action': 'api.request', 'event.outcome': outcome, 'event.dataset': 'nginx.access', 'event.provider': 'edge-1', 'event.duration': Math.round(took * 1e6), 'http.response.bytes': Math.floor(200 + rnd() * 9000), 'user.id': who, 'service.name': 'gateway', 'host.name': 'edge-1', 'log.level': result >= 500 ? 'error' : 'info', message: message ?? `${method} ${path} ${result}` });
    if (template === '/healthz') return id;
    const authTook = 2 + rnd() * 9;
    add(at + 3 + authTook, { ...common, 'event.category': 'authentication', 'event.action': result === 401 ? 'auth.failure' : 'auth.attempt', 'event.outcome': result === 401 ? 'failure' : 'success', 'event.dataset': 'json', 'event.provider': 'auth', 'event.duration': Math.round(authTook * 1e6), 'user.id': who, 'user.email': `[R:email:k1:${code(16).replace(/[0189]/g, 'q')}]`, 'auth.method': 'bearer', 'auth.credential_id': `[R:jwt:k1:${code(16).replace(/[0189]/g, 'x')}]`, 'service.name': 'auth', 'log.level': result === 401 ? 'warn' : 'info', 'redaction.count': 2, 'redaction.rules': ['email', 'jwt'], message: result === 401 ? 'password does not match' : 'token accepted, scope orders:read' });
    if (rnd() < 0.55 || template.includes('refund')) {
      const from = at + 4 + authTook;
      const room = Math.max(4, took - authTook - 8 - (template.includes('refund') ? took * 0.2 : 0));
      const service = template.split('/')[2] ?? 'orders';
      add(from + room, { ...common, 'http.response.status_code': result, 'event.action': 'api.request', 'event.outcome': outcome, 'event.dataset': 'json', 'event.provider': service, 'event.duration': Math.round(room * 1e6), 'user.id': who, 'service.name': service, 'service.version': '4.12.0', 'object.id': object, 'log.level': result >= 500 ? 'error' : 'info', message: result >= 500 ? 'upstream database timed out after 3 attempts' : `${method.toLowerCase()} ${service} ${object}` });
      for (let at = 0; at < 1 + Math.floor(rnd() * 3); at++) {
        const query = 1 + rnd() * room * 0.3;
        add(from + room * (0.15 + 0.28 * at) + query, { ...common, 'event.action': 'db.query', 'event.outcome': 'success', 'event.dataset': 'json', 'event.provider': 'postgres', 'event.duration': Math.round(query * 1e6), 'service.name': 'postgres', 'log.level': 'debug', 'ext.db.rows': Math.floor(rnd() * 40), message: `select from ${service} where id = $1` });
      }
    }
    return id;
  }

  const day = 26 * 3600e3;
  for (let at = 0; at < requests; at++) {
    const back = at < requests * 0.45 ? rnd() * 3600e3 : rnd() * day;
    request(now - 4000 - back);
  }
  // attacks: enumeration, refused logins, a place never seen before
  const attacker = ['192.0.2.200', 'RU', 64666, 'Bulletproof Ltd'];
  for (let at = 0; at < 220; at++) request(now - 21 * 60e3 + at * 1100 + rnd() * 300, { route: ['GET', '/v1/orders/{id}'], user: 'u_8812', place: attacker, status: rnd() < 0.7 ? 403 : 200 });
  for (let at = 0; at < 340; at++) request(now - 39 * 60e3 + at * 700 + rnd() * 300, { route: ['POST', '/v1/login'], user: `u_${9000 + (at % 90)}`, place: ['198.51.100.66', 'DE', 64501, 'Example Hosting'], status: at === 300 ? 200 : 401 });
  request(now - 12 * 60e3, { user: 'u_2210', place: ['203.0.113.250', 'KP', 64999, 'Star Joint'], status: 200 });
  const refund = request(now - 6 * 60e3, { route: ['POST', '/v1/orders/{id}/refund'], user: 'u_8812', place: attacker, status: 200 });
  add(now - 90e3, { 'event.action': 'api.request', 'event.outcome': 'failure', 'event.provider': 'edge-1', 'event.dataset': 'nginx.access', 'http.request.method': 'GET', 'http.route': '/<img src=x onerror=alert(1)>', 'url.path': '/<img src=x onerror=alert(1)>', 'http.response.status_code': 404, 'client.ip': '192.0.2.200', 'user.id': '<script>alert(2)</script>', 'user.name': 'admin\u202egnp.exe', 'user_agent.original': '"><svg onload=alert(3)>\u0000\u001b[2J\u200b', 'service.name': 'gateway', 'correlation.id': '<b>not an id</b>', 'event.notes': ['control_characters'], message: 'pay\u200bpal \u202eevil\u202c \u0007 https://evil.example/ javascript:alert(1)' });
  events.sort((a, b) => (a['@timestamp'] < b['@timestamp'] ? 1 : -1));
  return { events, refund, alerts: alerts(events, now, code), now };
}

function alerts(events, now, code) {
  const rows = [
    ['critical', 'open', 'Object enumeration by u_8812', 'u_8812 asked for 220 different orders in 4 minutes, 154 were refused.', 'Object enumeration', ['owasp.api1', 'attack.discovery'], 220, 50, (e) => e['user.id'] === 'u_8812' && e['client.ip'] === '192.0.2.200', [['user.id', 'u_8812'], ['client.ip', '192.0.2.200']], 'user.id:u_8812 http.route:"/v1/orders/{id}"'],
    ['high', 'open', 'Refused logins from 198.51.100.66', '339 logins refused for 90 users from one address in 4 minutes, then one succeeded.', 'Authorization failure burst', ['attack.credential_access', 'attack.t1110.004'], 339, 30, (e) => e['client.ip'] === '198.51.100.66' && e['http.response.status_code'], [['client.ip', '198.51.100.66']], 'client.ip:198.51.100.66 http.response.status_code:401'],
    ['medium', 'acknowledged', 'New country KP for u_2210', 'u_2210 was seen in BR, DE, FR, NL, US before; KP is new.', 'Unusual geography', ['attack.initial_access', 'attack.t1078'], 1, 1, (e) => e['client.geo.country_iso_code'] === 'KP', [['user.id', 'u_2210'], ['client.geo.country_iso_code', 'KP']], 'user.id:u_2210 client.geo.country_iso_code:KP'],
    ['low', 'open', 'Path probing from 192.0.2.200', '14 paths that do not exist in 10 minutes.', 'Path enumeration', ['attack.reconnaissance'], 14, 10, (e) => e['http.response.status_code'] === 404 && e['client.ip'] === '192.0.2.200', [['client.ip', '192.0.2.200']], 'client.ip:192.0.2.200 http.response.status_code:404'],
    ['high', 'closed', 'Object enumeration by u_4127', 'u_4127 asked for 61 different users in 10 minutes.', 'Object enumeration', ['owasp.api1'], 61, 50, (e) => e['user.id'] === 'u_4127', [['user.id', 'u_4127']], 'user.id:u_4127 http.route:"/v1/users/{id}"'],
    ['info', 'closed', 'Server errors of payments', '12 answers of class 5xx in 5 minutes.', 'Server error burst', [], 12, 10, (e) => e['http.response.status_code'] >= 500, [['service.name', 'payments']], 'service.name:payments http.response.status_code:>=500'],
  ];
  return rows.map(([severity, status, title, summary, name, tags, value, threshold, match, entities, query], at) => {
    const found = events.filter(match).slice(0, 50);
    const id = `alt_${code(26)}`;
    const opened = now - (at + 1) * 17 * 60e3;
    return {
      id, version: 3, rule: { id: `0f5c1a2${at}-4c1b-4f4e-9d1a-3b1f2a6c7d0${at}`, name, revision: 'a41f0c9be2d87731', tags },
      dedup_key: `${at}:${entities[0]?.[1]}`, title, summary, severity, status,
      resolution: status === 'closed' ? { reason: 'benign', comment: 'Nightly export of the partner, agreed with the shop team.', by: 'kim', at: new Date(opened + 9e5).toISOString() } : null,
      assignee: status === 'acknowledged' ? 'kim' : null,
      first_seen: new Date(opened - 24e4).toISOString(), last_seen: new Date(opened).toISOString(), opened_at: new Date(opened).toISOString(), updated_at: new Date(opened + 6e4).toISOString(),
      acknowledged_at: status === 'acknowledged' ? new Date(opened + 3e5).toISOString() : null,
      count: 1 + at, value, threshold, entities: entities.map(([type, text]) => ({ type, value: text })),
      correlation_ids: found.slice(0, 5).map((e) => e['correlation.id']),
      sample_events: found.slice(0, 5).map((e) => ({ id: e.id, time: e['@timestamp'], summary: `${e['http.request.method']} ${e['url.path']} ${e['http.response.status_code']}` })),
      query, previous_id: null, labels: {}, url: `/alerts/${id}`, evidence: found,
      history: [
        { seq: 1, at: new Date(opened).toISOString(), actor: 'detection', action: 'opened', from: null, to: 'open', note: null },
        ...(status === 'acknowledged' ? [{ seq: 2, at: new Date(opened + 3e5).toISOString(), actor: 'kim', action: 'acknowledged', from: 'open', to: 'acknowledged', note: 'Asking the user.' }] : []),
        ...(status === 'closed' ? [{ seq: 2, at: new Date(opened + 9e5).toISOString(), actor: 'kim', action: 'closed', from: 'open', to: 'closed', note: 'Nightly export of the partner, agreed with the shop team.' }] : []),
      ],
      deliveries: [
        { message_id: `msg_${code(20)}`, endpoint_id: 'wh_1', event_type: 'alert.opened', alert_id: id, state: 'delivered', attempts: 1, created_at: new Date(opened + 300).toISOString(), next_at: null, settled_at: new Date(opened + 442).toISOString(), last_status: 200, last_error: null },
        ...(at === 1 ? [{ message_id: `msg_${code(20)}`, endpoint_id: 'wh_2', event_type: 'alert.opened', alert_id: id, state: 'pending', attempts: 3, created_at: new Date(opened + 300).toISOString(), next_at: new Date(now + 24e4).toISOString(), settled_at: null, last_status: 503, last_error: 'http_503' }] : []),
      ],
    };
  });
}
