/** The one place that talks to the server. */

import type {
  AggregateAnswer,
  AggregationRequest,
  Alert,
  Delivery,
  EventRow,
  FieldInfo,
  HistoryEntry,
  Key,
  KeyMade,
  List,
  Ping,
  Reason,
  Rule,
  RuleList,
  SearchAnswer,
  SearchRequest,
  ServerStatus,
  Session,
  Source,
  Story,
  Webhook,
} from './types';

export interface Fault {
  pointer: string;
  code: string;
  detail?: string;
}

/** A refusal of the server (RFC 9457), or a server that did not answer (status 0). */
export class Problem extends Error {
  override name = 'Problem';
  status: number;
  code: string;
  title: string;
  correlationId: string;
  errors: Fault[];

  constructor(status: number, body: Partial<Record<string, unknown>>) {
    const text = (name: string): string => (typeof body[name] === 'string' ? body[name] : '');
    super(text('detail') || text('title') || `The server answered ${status}.`);
    this.status = status;
    this.code = text('code');
    this.title = text('title');
    this.correlationId = text('correlation_id');
    this.errors = Array.isArray(body.errors) ? (body.errors as Fault[]) : [];
  }

  /** The fault of the query text, with its position where the server gave one. */
  get queryFault(): Fault | undefined {
    return this.errors.find((fault) => /^\/?query$/.test(fault.pointer));
  }
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** Called on a 401 of anything but the sign-in itself. */
export const hooks = { signedOut: (): void => undefined };

/** Whole numbers beyond 2^53 stay as written instead of being rounded: ids must not change. */
export function parseJson(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  const exact = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && Number.isInteger(value)
      ? (context?.source ?? value)
      : value;
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown);
}

async function answer(response: Response): Promise<unknown> {
  const text = await response.text();
  let body: unknown = null;
  try {
    body = text ? parseJson(text) : null;
  } catch {
    if (response.ok) throw new Problem(response.status, { detail: 'The answer is not JSON.' });
  }
  if (response.ok) return body;
  throw new Problem(response.status, (body ?? {}) as Record<string, unknown>);
}

async function call<T>(
  method: Method,
  path: string,
  options: { body?: unknown; signal?: AbortSignal; version?: number } = {},
): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (method !== 'GET') headers['x-wardline-csrf'] = '1';
  if (options.body !== undefined) headers['content-type'] = 'application/json';
  if (options.version !== undefined) headers['if-match'] = `"${options.version}"`;
  const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store' };
  if (options.body !== undefined) init.body = JSON.stringify(options.body);
  if (options.signal) init.signal = options.signal;
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Problem(0, { detail: 'The server does not answer.', code: 'unreachable' });
  }
  if (response.status === 401 && path !== '/session') hooks.signedOut();
  return (await answer(response)) as T;
}

const id = encodeURIComponent;

function parameters(values: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}

export const api = {
  session: () => call<Session>('GET', '/session'),
  signIn: (body: { token: string } | { key: string }) =>
    call<Session | null>('POST', '/session', { body }),
  signOut: () => call<null>('DELETE', '/session'),

  search: (body: SearchRequest, signal?: AbortSignal) =>
    call<SearchAnswer>('POST', '/search', { body, ...(signal && { signal }) }),
  aggregate: (
    body: { query: string; from: string; to: string; aggs: Record<string, AggregationRequest> },
    signal?: AbortSignal,
  ) => call<AggregateAnswer>('POST', '/aggregate', { body, ...(signal && { signal }) }),
  event: (event: string) => call<EventRow>('GET', `/events/${id(event)}`),
  story: (request: string, signal?: AbortSignal) =>
    call<Story>('GET', `/requests/${id(request)}`, { ...(signal && { signal }) }),
  fields: () => call<List<FieldInfo>>('GET', '/fields'),
  sources: () => call<List<Source>>('GET', '/sources'),
  status: () => call<ServerStatus>('GET', '/status'),

  alerts: (
    filter: {
      status?: string;
      severity?: string;
      rule?: string;
      q?: string;
      limit?: number;
      cursor?: string | null;
    },
    signal?: AbortSignal,
  ) => call<List<Alert>>('GET', `/alerts${parameters(filter)}`, { ...(signal && { signal }) }),
  alert: (alert: string) => call<Alert>('GET', `/alerts/${id(alert)}`),
  alertHistory: (alert: string) =>
    call<List<HistoryEntry>>('GET', `/alerts/${id(alert)}/history?limit=1000`),
  alertEvents: (alert: string) => call<List<EventRow>>('GET', `/alerts/${id(alert)}/events`),
  alertDeliveries: (alert: string) =>
    call<List<Delivery>>('GET', `/alerts/${id(alert)}/deliveries?limit=1000`),
  acknowledge: (alert: Alert, body: { assignee?: string; note?: string }) =>
    call<Alert>('POST', `/alerts/${id(alert.id)}/ack`, { body, version: alert.version }),
  close: (alert: Alert, body: { reason: Reason; comment: string }) =>
    call<Alert>('POST', `/alerts/${id(alert.id)}/close`, { body, version: alert.version }),
  reopen: (alert: Alert) =>
    call<Alert>('POST', `/alerts/${id(alert.id)}/reopen`, { body: {}, version: alert.version }),
  note: (alert: Alert, text: string) =>
    call<Alert>('POST', `/alerts/${id(alert.id)}/notes`, { body: { text } }),

  rules: () => call<RuleList>('GET', '/rules'),
  rule: (rule: string) => call<Rule>('GET', `/rules/${id(rule)}`),

  keys: () => call<List<Key>>('GET', '/keys'),
  createKey: (body: { name: string; scopes: string[]; expires_in_days: number }) =>
    call<KeyMade>('POST', '/keys', { body }),
  rotateKey: (key: string, overlap_hours: number) =>
    call<KeyMade>('POST', `/keys/${id(key)}/rotate`, { body: { overlap_hours } }),
  revokeKey: (key: string) => call<null>('DELETE', `/keys/${id(key)}`),

  webhooks: () => call<List<Webhook>>('GET', '/webhooks'),
  createWebhook: (body: { url: string; description: string; severity_min?: string }) =>
    call<Webhook & { secret: string }>('POST', '/webhooks', { body }),
  changeWebhook: (webhook: string, body: { state: Webhook['state'] }) =>
    call<Webhook>('PATCH', `/webhooks/${id(webhook)}`, { body }),
  removeWebhook: (webhook: string) => call<null>('DELETE', `/webhooks/${id(webhook)}`),
  testWebhook: (webhook: string) =>
    call<Ping>('POST', `/webhooks/${id(webhook)}/test`, { body: {} }),
  rotateWebhookSecret: (webhook: string) =>
    call<{ secret: string }>('POST', `/webhooks/${id(webhook)}/rotate-secret`, { body: {} }),
  webhookDeliveries: (webhook: string) =>
    call<List<Delivery>>('GET', `/webhooks/${id(webhook)}/deliveries`),
};
