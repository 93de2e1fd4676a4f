/** Times as the API writes them, as people type them and as pages show them. Pure. */

export type Zone = 'utc' | 'local';

export interface Range {
  from: string;
  to: string;
}

export const PRESETS: { label: string; from: string }[] = [
  { label: 'Last 15 minutes', from: 'now-15m' },
  { label: 'Last hour', from: 'now-1h' },
  { label: 'Last 6 hours', from: 'now-6h' },
  { label: 'Last 24 hours', from: 'now-24h' },
  { label: 'Last 7 days', from: 'now-7d' },
  { label: 'Last 30 days', from: 'now-30d' },
];

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const RELATIVE = /^now(?:-(\d{1,9})([smhdw]))?$/;

/** Milliseconds since 1970 with the fraction kept (the API writes up to nine digits). */
export function millis(text: string): number {
  const fraction = /\.(\d+)/.exec(text);
  const whole = Date.parse(text.replace(/\.\d+/, ''));
  return fraction ? whole + Number(`0.${fraction[1]}`) * 1000 : whole;
}

/** The moment an expression of the API (`now-1h`, RFC 3339) means; `null` if it is neither. */
export function resolve(expression: string, now: number): number | null {
  const match = RELATIVE.exec(expression);
  if (match) return now - Number(match[1] ?? 0) * (SECONDS[match[2] ?? 's'] ?? 0) * 1000;
  const at = /^\d{4}-\d{2}-\d{2}T/.test(expression) ? Date.parse(expression) : NaN;
  return Number.isNaN(at) ? null : at;
}

export function iso(at: number): string {
  return new Date(at).toISOString();
}

function part(at: number, zone: Zone): { date: string; time: string } {
  const shifted = zone === 'utc' ? at : at - new Date(at).getTimezoneOffset() * 60_000;
  const text = new Date(shifted).toISOString();
  return { date: text.slice(0, 10), time: text.slice(11, 23) };
}

const valid = (at: number): boolean => Math.abs(at) < 8.64e15;

/** `12:02:58.114` */
export function clock(text: string, zone: Zone): string {
  const at = millis(text);
  return valid(at) ? part(at, zone).time : text;
}

/** `2026-11-21` */
export function day(text: string, zone: Zone): string {
  const at = millis(text);
  return valid(at) ? part(at, zone).date : '';
}

/** `2026-11-21 12:02:58.114` */
export function moment(text: string, zone: Zone): string {
  const at = millis(text);
  return valid(at) ? `${part(at, zone).date} ${part(at, zone).time}` : text;
}

/** `2026-11-21 12:02` */
export function minute(text: string, zone: Zone): string {
  return moment(text, zone).slice(0, 16);
}

/** How long ago, in the largest fitting unit: `12 s`, `4 min`, `3 h`, `2 d`. */
export function ago(text: string, now: number): string {
  const seconds = Math.max(0, (now - millis(text)) / 1000);
  if (Number.isNaN(seconds)) return '';
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** A length of time in milliseconds: `812 µs`, `41.2 ms`, `1.24 s`, `3 min 20 s`. */
export function span(ms: number): string {
  if (ms === 0) return '0 ms';
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${ms < 100 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${Number(seconds.toFixed(2))} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = Math.round(seconds - minutes * 60);
  if (minutes < 60) return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
}

/** What a range is called on the button that opens the picker. */
export function rangeLabel(range: Range, zone: Zone): string {
  const match = RELATIVE.exec(range.from);
  if (match?.[1] && range.to === 'now') {
    const preset = PRESETS.find((entry) => entry.from === range.from);
    return preset?.label ?? `Last ${match[1]} ${match[2]}`;
  }
  const side = (text: string): string => (text.startsWith('now') ? text : minute(text, zone));
  const [from, to] = [side(range.from), side(range.to)];
  return from.slice(0, 10) === to.slice(0, 10) && from.length > 11
    ? `${from} – ${to.slice(11)}`
    : `${from} – ${to}`;
}

const UNIT =
  /^(\d{1,9})\s*(s|sec|secs|seconds?|m|min|mins|minutes?|h|hrs?|hours?|d|days?|w|weeks?)$/i;

function shortUnit(text: string): string | null {
  const match = UNIT.exec(text);
  return match?.[1] && match[2] ? `${match[1]}${match[2].charAt(0).toLowerCase()}` : null;
}

function at(year: number, month: number, date: number, time: number[], zone: Zone): number {
  const [hour = 0, minutes = 0, seconds = 0] = time;
  return zone === 'utc'
    ? Date.UTC(year, month, date, hour, minutes, seconds)
    : new Date(year, month, date, hour, minutes, seconds).getTime();
}

interface Moment {
  /** As the API reads it. */
  text: string;
  /** End of the day, for a date without a time. */
  end?: number;
}

/** One moment as typed: `now-15m`, `15m ago`, RFC 3339, `2026-11-21`, `2026-11-21 10:00`, `10:00`. */
function typedMoment(text: string, now: number, zone: Zone): Moment | null {
  if (RELATIVE.test(text)) return { text };
  const ago = /^(.+?)\s+ago$/i.exec(text);
  const unit = ago?.[1] ? shortUnit(ago[1]) : null;
  if (unit) return { text: `now-${unit}` };
  const named = /^(today|yesterday)(?:\s+(\d{1,2}:\d{2}(?::\d{2})?))?$/i.exec(text);
  const today = part(now, zone).date;
  let date: string | undefined;
  let time: string | undefined;
  if (named?.[1]) {
    const back = named[1].toLowerCase() === 'yesterday' ? 86_400_000 : 0;
    [date, time] = [part(now - back, zone).date, named[2]];
  } else if (/^\d{1,2}:\d{2}(?::\d{2})?$/.test(text)) {
    [date, time] = [today, text];
  } else {
    const match = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{1,2}:\d{2}(?::\d{2})?))?$/.exec(text);
    [date, time] = [match?.[1], match?.[2]];
  }
  if (!date) {
    const exact = resolve(text, now);
    return exact === null ? null : { text: iso(exact) };
  }
  const [year = 0, month = 1, dayOfMonth = 1] = date.split('-').map(Number);
  const clockParts = (time ?? '0:00').split(':').map(Number);
  if ((clockParts[0] ?? 0) > 23 || (clockParts[1] ?? 0) > 59) return null;
  const start = at(year, month - 1, dayOfMonth, clockParts, zone);
  if (Number.isNaN(start)) return null;
  const next = at(year, month - 1, dayOfMonth + 1, [], zone);
  return { text: iso(start), ...(!time && { end: next }) };
}

/**
 * A range as typed: `15m`, `last 2 hours`, `now-2h to now-1h`, `2026-11-21`, `yesterday`,
 * `2026-11-21 10:00 - 11:00`, `2026-11-21 10:00 +30m`. `null` if it is not understood.
 */
export function typed(input: string, now: number, zone: Zone): Range | null {
  const text = input.trim().replace(/\s+/g, ' ');
  const unit = shortUnit(text.replace(/^(?:last|past) /i, ''));
  if (unit) return { from: `now-${unit}`, to: 'now' };
  const plus = /^(.+?) ?\+ ?(\d{1,9} ?[a-z]+)$/i.exec(text);
  if (plus?.[1] && plus[2]) {
    const from = typedMoment(plus[1], now, zone);
    const length = shortUnit(plus[2]);
    const start = from && resolve(from.text, now);
    if (!from || !length || start === null) return null;
    const ms = Number(length.slice(0, -1)) * (SECONDS[length.slice(-1)] ?? 0) * 1000;
    return { from: iso(start), to: iso(start + ms) };
  }
  const sides = text.split(/ (?:to|-|–|until) /i);
  const from = typedMoment(sides[0] ?? '', now, zone);
  if (!from || sides.length > 2) return null;
  if (sides.length === 1) return { from: from.text, to: from.end ? iso(from.end) : 'now' };
  const second = sides[1] ?? '';
  const sameDay = /^\d{1,2}:\d{2}/.test(second) && !from.text.startsWith('now');
  const base = sameDay ? `${day(from.text, zone)} ${second}` : second;
  const to = typedMoment(base, now, zone);
  if (!to) return null;
  const [start, end] = [resolve(from.text, now), to.end ?? resolve(to.text, now)];
  if (start === null || end === null || start >= end) return null;
  return { from: from.text, to: to.end ? iso(to.end) : to.text };
}
