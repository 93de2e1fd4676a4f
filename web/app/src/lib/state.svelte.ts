/** What the whole application shares: session, preferences, freshness, notices. */

import { api, hooks, Problem } from './api';
import type { Zone } from './time';
import type { Session } from './types';

export type Theme = 'auto' | 'light' | 'dark';

function stored<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
  try {
    const value = localStorage.getItem(name);
    return allowed.find((entry) => entry === value) ?? fallback;
  } catch {
    return fallback;
  }
}

function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // storage is off: the choice lasts until the page is closed
  }
}

export interface Notice {
  id: number;
  text: string;
  bad: boolean;
}

class App {
  /** `undefined` while it is not known yet. */
  session: Session | null | undefined = $state(undefined);
  zone: Zone = $state(stored('wardline.zone', ['utc', 'local'] as const, 'utc'));
  theme: Theme = $state(stored('wardline.theme', ['auto', 'light', 'dark'] as const, 'auto'));
  notices: Notice[] = $state([]);
  openAlerts: number | null = $state(null);
  reachable = $state(true);
  /** How many events were not searchable yet, and when that was. */
  fresh: { lag: number; at: string } | null = $state(null);
  help = $state(false);
  now = $state(Date.now());

  setZone(zone: Zone): void {
    this.zone = zone;
    store('wardline.zone', zone);
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    store('wardline.theme', theme);
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }

  can(scope: string): boolean {
    const scopes = this.session?.scopes ?? [];
    return scopes.includes(scope) || scopes.includes('admin');
  }

  tell(text: string, bad = false): void {
    const id = Math.random();
    this.notices.push({ id, text, bad });
    setTimeout(() => this.dismiss(id), bad ? 10_000 : 4000);
  }

  dismiss(id: number): void {
    this.notices = this.notices.filter((notice) => notice.id !== id);
  }

  fail(error: unknown): void {
    this.tell(describe(error), true);
  }

  /** The cookie cannot be seen from here; without a sign of a session the server is not asked. */
  async start(): Promise<void> {
    if (stored('wardline.session', ['1', ''] as const, '') === '') {
      this.session = null;
      return;
    }
    try {
      this.session = await api.session();
    } catch (error) {
      this.session = null;
      this.reachable = !(error instanceof Problem && error.status === 0);
    }
  }

  signedIn(session: Session): void {
    this.session = session;
    store('wardline.session', '1');
  }

  signedOut(): void {
    this.session = null;
    store('wardline.session', '');
  }

  async signOut(): Promise<void> {
    await api.signOut().catch(() => null);
    this.signedOut();
  }

  /** Refreshes the count of open alerts and whether the server answers. */
  async poll(): Promise<void> {
    this.now = Date.now();
    if (!this.session || document.hidden) return;
    try {
      if (this.can('search')) {
        const status = await api.status();
        const open = Object.values(status.alerts.open);
        this.openAlerts = open.reduce((sum, count) => sum + count, 0);
        this.fresh = { lag: status.index.lag_events, at: status.time };
      } else if (this.can('alerts')) {
        const open = await api.alerts({ status: 'open', limit: 100 });
        this.openAlerts = open.data.length;
      }
      this.reachable = true;
    } catch (error) {
      if (error instanceof Problem && error.status === 0) this.reachable = false;
    }
  }
}

export const app = new App();
hooks.signedOut = () => app.signedOut();

/** A failure as a sentence, with the id to look it up by. */
export function describe(error: unknown): string {
  if (!(error instanceof Problem)) return error instanceof Error ? error.message : String(error);
  const fault = error.errors[0];
  const where = fault ? ` (${fault.pointer}: ${fault.detail ?? fault.code})` : '';
  const id = error.status >= 500 && error.correlationId ? ` Request ${error.correlationId}.` : '';
  return `${error.message}${where}${id}`;
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    app.tell(`${what} copied`);
  } catch {
    app.tell('The browser did not allow copying.', true);
  }
}
