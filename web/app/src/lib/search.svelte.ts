/** One search: rows, histogram, facets and what to say when there is nothing. */

import { api, Problem } from './api';
import { terms, without } from './query';
import { app } from './state.svelte';
import type { Range } from './time';
import type { Aggregation, Alert, Bucket, EventRow, FieldInfo, Hint, Stats } from './types';

export const FACETS = [
  'http.response.status_code',
  'http.request.method',
  'http.route',
  'service.name',
  'client.ip',
  'client.geo.country_iso_code',
  'user.id',
  'event.action',
  'event.outcome',
];

const PAGE = 100;
/** Rows kept in the browser; beyond it the time range has to be narrowed. */
export const ROWS_MAX = 20_000;
const FACET_VALUES = 8;

export interface Loosened {
  /** The filter left out. */
  term: string;
  query: string;
  total: number;
}

function aborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** As far ahead as the time of an event is believed. */
const AHEAD = 'now+1d';

/** A range up to now has no end for events: those of a clock that is ahead belong to it too. The axis ends now. */
const open = (range: Range): Range => (range.to === 'now' ? { ...range, to: AHEAD } : range);

export class Search {
  rows: EventRow[] = $state.raw([]);
  stats: Stats | null = $state.raw(null);
  hints: Hint[] = $state.raw([]);
  buckets: Bucket[] | null = $state.raw(null);
  facets: Record<string, Aggregation> = $state.raw({});
  fields: FieldInfo[] = $state.raw([]);
  busy = $state(false);
  loadingOlder = $state(false);
  problem: unknown = $state.raw(null);
  /** Alerts that are not closed, to mark them in the histogram. */
  alerts: Alert[] = $state.raw([]);
  /** Set when nothing matched: what would match with one filter less. */
  loosened: Loosened[] = $state.raw([]);
  /** Set when nothing matched and there was no filter: the newest event there is. */
  newest: EventRow | null = $state.raw(null);
  /** Whether any event has ever been received; `null` while it is not known. */
  anything: boolean | null = $state(null);

  #cursor: string | null = $state(null);
  #abort = new AbortController();
  #asked: { query: string } & Range = { query: '', from: 'now-1h', to: 'now' };

  get more(): boolean {
    return this.#cursor !== null && this.rows.length < ROWS_MAX;
  }

  /** Runs a query; the one before it is dropped, on the server too. */
  async run(query: string, range: Range): Promise<void> {
    this.stop();
    const { signal } = (this.#abort = new AbortController());
    this.#asked = { query, ...open(range) };
    this.busy = true;
    this.loosened = [];
    this.newest = null;
    this.anything = null;
    try {
      const events = api.search({ ...this.#asked, limit: PAGE, sort: 'desc', count: true }, signal);
      const times = api.aggregate(
        {
          query,
          ...range,
          aggs: {
            times: { histogram: { interval: 'auto', split: 'http.response.status_code' } },
          },
        },
        signal,
      );
      const [found, histogram] = await Promise.all([events, times]);
      this.rows = found.data;
      this.stats = found.stats;
      this.hints = found.hints ?? [];
      this.#cursor = found.page.next_cursor;
      this.buckets = histogram.aggs.times?.buckets ?? [];
      this.problem = null;
      const { complete_until: at, lag_events: lag = 0 } = found.stats;
      if (at) app.fresh = { lag, at };
      this.busy = false;
      if (app.can('alerts')) void this.#markAlerts(signal);
      if (found.data.length > 0) await this.#countFacets(signal);
      else await this.#explainNothing(signal);
    } catch (error) {
      if (aborted(error)) return;
      this.problem = error;
      this.busy = false;
      if (!(error instanceof Problem && error.queryFault)) this.#clear();
    }
  }

  async older(): Promise<void> {
    if (this.#cursor === null || this.loadingOlder) return;
    const { signal } = this.#abort;
    this.loadingOlder = true;
    try {
      const cursor = this.#cursor;
      const found = await api.search({ ...this.#asked, limit: PAGE, sort: 'desc', cursor }, signal);
      const known = new Set(this.rows.map((row) => row.id));
      this.rows = [...this.rows, ...found.data.filter((row) => !known.has(row.id))];
      this.#cursor = found.page.next_cursor;
    } catch (error) {
      if (!aborted(error)) app.fail(error);
    } finally {
      this.loadingOlder = false;
    }
  }

  stop(): void {
    this.#abort.abort();
    this.busy = false;
  }

  async learnFields(): Promise<void> {
    if (this.fields.length > 0) return;
    const list = await api.fields().catch(() => null);
    this.fields = list?.data ?? [];
  }

  #clear(): void {
    this.rows = [];
    this.stats = null;
    this.hints = [];
    this.buckets = [];
    this.facets = {};
    this.#cursor = null;
  }

  async #markAlerts(signal: AbortSignal): Promise<void> {
    const filter = { status: 'open,acknowledged', limit: 100 };
    const found = await api.alerts(filter, signal).catch(() => null);
    if (found) this.alerts = found.data;
  }

  async #countFacets(signal: AbortSignal): Promise<void> {
    const aggs = Object.fromEntries(
      FACETS.map((field) => [field, { terms: { field, size: FACET_VALUES } }]),
    );
    const found = await api.aggregate({ ...this.#asked, aggs }, signal);
    this.facets = found.aggs;
  }

  async #explainNothing(signal: AbortSignal): Promise<void> {
    this.facets = {};
    const { query, from, to } = this.#asked;
    const filters = terms(query) ?? [];
    if (filters.length > 0 && filters.length <= 6) {
      const tries = filters.map(async (term): Promise<Loosened> => {
        const rest = without(query, term);
        const body = { query: rest, from, to, limit: 1, count: true };
        const found = await api.search(body, signal);
        const total = found.stats.total ?? found.data.length;
        return { term: query.slice(term.start, term.end), query: rest, total };
      });
      const all = await Promise.all(tries);
      this.loosened = all.filter((entry) => entry.total > 0);
    }
    if (this.loosened.length === 0) {
      const body = { query, from: 'now-3650d', to: AHEAD, limit: 1 };
      this.newest = (await api.search(body, signal)).data[0] ?? null;
    }
    if (!this.newest && this.loosened.length === 0) {
      const list = await api.sources();
      this.anything = list.data.length > 0;
    }
  }
}
