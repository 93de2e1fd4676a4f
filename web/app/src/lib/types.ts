/** The shapes of the API, as `openapi.json` describes them. */

export type Scalar = string | number | boolean | null;

/** An event: flat, dotted names; a name with several values holds an array. */
export interface EventRow {
  id: string;
  '@timestamp': string;
  [name: string]: Scalar | Scalar[];
}

export interface Stats {
  total?: number | null;
  total_relation?: string;
  scanned?: number;
  searched_segments?: number;
  complete_until?: string | null;
  lag_events?: number;
  /** Events of this time whose fields cannot be asked for. */
  unparsed?: number;
  /** Sources that sent before and fell silent. */
  silent_sources?: { name: string; last_seen: string }[];
  /** Whether a bound ended the search early. */
  partial?: boolean;
  took_ms?: number;
}

export interface Page {
  next_cursor: string | null;
  limit: number;
}

export interface List<T> {
  data: T[];
  page: Page;
}

export interface SearchRequest {
  query: string;
  from: string;
  to: string;
  limit?: number;
  cursor?: string | null;
  sort?: 'asc' | 'desc';
  fields?: string[];
  count?: boolean;
}

export interface Hint {
  name: string;
  meant: string;
}

export interface SearchAnswer extends List<EventRow> {
  page: Page;
  stats: Stats;
  /** Names in the query that are no fields, where nothing was found. */
  hints?: Hint[];
}

export interface Bucket {
  key: Scalar;
  count: number;
  split?: Record<string, number>;
}

export interface Aggregation {
  buckets: Bucket[];
  other?: number;
  missing?: number;
}

export type AggregationRequest =
  | { histogram: { interval: string; split?: string } }
  | { terms: { field: string; size: number } };

export interface AggregateAnswer {
  aggs: Record<string, Aggregation>;
  stats: Stats;
}

export type StoryEvent = EventRow & { start?: string; lane?: string };

export interface AlertRef {
  id: string;
  title: string;
  severity: Severity;
  status: AlertStatus;
}

export interface Story {
  id: string;
  matched_by: string;
  events: StoryEvent[];
  services: { name: string; start: string; end: string; events: number }[];
  start: string | null;
  end: string | null;
  duration_ms: number | null;
  gaps?: { start: string; end: string; duration_ms: number }[];
  alerts: AlertRef[];
  stats?: Stats;
}

export interface FieldInfo {
  name: string;
  kind: string;
  doc: string;
}

export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];
export type AlertStatus = 'open' | 'acknowledged' | 'closed';

export const REASONS = {
  true_positive: 'Attack, dealt with',
  benign: 'Right match, but allowed',
  false_positive: 'Wrong match',
  testing: 'Test or maintenance',
  other: 'Other',
} as const;
export type Reason = keyof typeof REASONS;

export interface Alert extends AlertRef {
  version: number;
  rule: { id: string; name: string; revision: string; tags: string[] };
  dedup_key: string;
  summary: string;
  resolution: { reason: Reason; comment: string; by: string; at: string } | null;
  assignee: string | null;
  first_seen: string;
  last_seen: string;
  opened_at: string;
  updated_at: string;
  acknowledged_at: string | null;
  count: number;
  value: number;
  threshold: number;
  entities: { type: string; value: string }[];
  correlation_ids: string[];
  sample_events: { id: string; time: string; summary: string }[];
  query: string;
  previous_id: string | null;
  labels: Record<string, string>;
  url: string;
}

/** One entry of an alert's history. */
export interface HistoryEntry {
  seq: number;
  at: string;
  actor: string;
  action: string;
  from: AlertStatus | null;
  to: AlertStatus;
  note: string | null;
}

/** One message to one webhook. */
export interface Delivery {
  message_id: string;
  endpoint_id: string;
  event_type: string;
  state: 'pending' | 'delivered' | 'exhausted' | 'aborted' | 'skipped';
  attempts: number;
  created_at: string;
  next_at: string | null;
  settled_at: string | null;
  last_status: number | null;
  last_error: string | null;
}

export interface Rule {
  id: string;
  title: string;
  description: string;
  level: Severity;
  status: string;
  tags: string[];
  kind: string;
  file: string;
  line: number;
  /** Whether events are shown to it. */
  active: boolean;
  revision: string;
  text: string;
}

export interface RuleList extends List<Rule> {
  /** Rules that were refused at the last load. */
  errors: { file: string; line: number; message: string }[];
}

export interface Key {
  id: string;
  name: string;
  scopes: string[];
  status: 'live' | 'expired' | 'revoked';
  created_at: string;
  created_by: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
}

export interface KeyMade extends Key {
  key: string;
}

export const SCOPES = ['ingest', 'search', 'alerts', 'admin'] as const;

export interface Webhook {
  id: string;
  /** Without path and query in lists: they may hold a token. */
  url: string;
  description: string;
  severity_min: Severity | null;
  rules: string[];
  state: 'enabled' | 'paused' | 'disabled';
  /** Why it is not enabled. */
  reason: string | null;
  health?: {
    pending: number;
    attempts: number;
    exhausted: number;
    failing_since: string | null;
    hold_until: string | null;
    succeeded_at: string | null;
  };
}

export interface Ping {
  ok: boolean;
  status: number | null;
  error: string | null;
  duration_ms: number;
}

export interface Source {
  name: string;
  first_seen: string;
  last_seen: string;
  events: number;
}

type Counts = Record<Severity, number>;

export interface ServerStatus {
  version: string;
  time: string;
  index: { lag_events: number };
  alerts: Record<AlertStatus, Counts>;
  [part: string]: unknown;
}

export interface Session {
  name: string;
  scopes: string[];
  expires_at: string | null;
}
