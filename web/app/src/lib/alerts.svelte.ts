/** The alert list and the one that is open. */

import { api, Problem } from './api';
import { app } from './state.svelte';
import type { Alert, Delivery, EventRow, HistoryEntry, Reason } from './types';

export interface Filter {
  status: string;
  severity: string;
  rule: string;
  q: string;
}

const PAGE = 100;

export class Alerts {
  list: Alert[] = $state.raw([]);
  loaded = $state(false);
  problem: unknown = $state.raw(null);
  cursor: string | null = $state(null);

  open: Alert | null = $state.raw(null);
  openProblem: unknown = $state.raw(null);
  history: HistoryEntry[] = $state.raw([]);
  events: EventRow[] = $state.raw([]);
  deliveries: Delivery[] = $state.raw([]);
  /** What webhooks are called, by id; known to administrators only. */
  webhooks: Record<string, string> = $state.raw({});
  acting = $state(false);

  #abort = new AbortController();
  #filter: Filter = { status: '', severity: '', rule: '', q: '' };
  #wanted = '';

  async load(filter: Filter): Promise<void> {
    this.#abort.abort();
    const { signal } = (this.#abort = new AbortController());
    this.#filter = filter;
    try {
      const found = await api.alerts({ ...filter, limit: PAGE }, signal);
      this.list = found.data;
      this.cursor = found.page.next_cursor;
      this.problem = null;
      this.loaded = true;
    } catch (error) {
      if (signal.aborted) return;
      this.problem = error;
    }
  }

  async more(): Promise<void> {
    if (this.cursor === null) return;
    try {
      const found = await api.alerts({ ...this.#filter, limit: PAGE, cursor: this.cursor });
      this.list = [...this.list, ...found.data];
      this.cursor = found.page.next_cursor;
    } catch (error) {
      app.fail(error);
    }
  }

  /** Shows one alert: at once what the list knows, then all of it. */
  async show(id: string): Promise<void> {
    this.#wanted = id;
    if (this.open?.id !== id) {
      this.open = this.list.find((alert) => alert.id === id) ?? null;
      [this.history, this.events, this.deliveries] = [[], [], []];
    }
    this.openProblem = null;
    if (!id) return;
    try {
      const alert = await api.alert(id);
      if (this.#wanted !== id) return;
      this.open = alert;
      const rest = { data: [] };
      const [history, events, deliveries] = await Promise.all([
        api.alertHistory(id).catch(() => rest),
        api.alertEvents(id).catch(() => rest),
        api.alertDeliveries(id).catch(() => rest),
      ]);
      if (this.#wanted !== id) return;
      this.history = history.data;
      this.events = events.data;
      this.deliveries = deliveries.data;
      if (deliveries.data.length > 0 && app.can('admin')) await this.#nameWebhooks();
    } catch (error) {
      if (this.#wanted === id) this.openProblem = error;
    }
  }

  async #nameWebhooks(): Promise<void> {
    const list = await api.webhooks().catch(() => ({ data: [] }));
    this.webhooks = Object.fromEntries(
      list.data.map((webhook) => [webhook.id, webhook.description || webhook.url]),
    );
  }

  acknowledge = (alert: Alert): Promise<boolean> =>
    this.#act(() => api.acknowledge(alert, {}), 'Acknowledged, assigned to you');

  close = (alert: Alert, reason: Reason, comment: string): Promise<boolean> =>
    this.#act(() => api.close(alert, { reason, comment }), 'Closed');

  reopen = (alert: Alert): Promise<boolean> =>
    this.#act(() => api.reopen(alert), 'Opened again');

  note = (alert: Alert, text: string): Promise<boolean> =>
    this.#act(() => api.note(alert, text), 'Note kept');

  async #act(call: () => Promise<Alert>, done: string): Promise<boolean> {
    if (this.acting) return false;
    this.acting = true;
    try {
      const changed = await call();
      this.list = this.list.map((alert) => (alert.id === changed.id ? changed : alert));
      app.tell(done);
      if (this.#wanted === changed.id) await this.show(changed.id);
      void app.poll();
      return true;
    } catch (error) {
      if (error instanceof Problem && (error.status === 412 || error.status === 409)) {
        app.tell('Somebody else changed this alert just now. It is shown as it is; try again.', true);
        await this.show(this.#wanted);
      } else app.fail(error);
      return false;
    } finally {
      this.acting = false;
    }
  }
}
