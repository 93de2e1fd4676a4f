/** Geometry of the histogram: counts over time, stacked by status class. Pure. */

import { millis, minute, moment, type Zone } from './time';
import type { Bucket } from './types';

/** Bottom to top: what is well lies below, what needs eyes lies on top. */
export const CLASSES = ['other', '2xx', '1xx', '3xx', '4xx', '5xx'] as const;
export type StatusClass = (typeof CLASSES)[number];

export interface Part {
  kind: StatusClass;
  count: number;
  /** Height and distance from the top, as parts of one. */
  height: number;
  top: number;
}

export interface Bar {
  start: number;
  end: number;
  count: number;
  parts: Part[];
}

export function statusClass(status: unknown): StatusClass {
  const match = /^([1-5])/.exec(String(status));
  return match ? (`${match[1]}xx` as StatusClass) : 'other';
}

/** The smallest round number that is not below `count`. */
export function niceCeiling(count: number): number {
  if (count <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(count));
  for (const factor of [1, 1.5, 2, 3, 4, 5, 6, 8]) if (factor * power >= count) return factor * power;
  return 10 * power;
}

/** Length of one bucket in milliseconds. */
export function interval(buckets: Bucket[], fallback: number): number {
  const [first, second] = buckets;
  return first && second ? millis(String(second.key)) - millis(String(first.key)) : fallback;
}

export function bars(buckets: Bucket[], rangeLength: number): { bars: Bar[]; scale: number } {
  const length = interval(buckets, rangeLength);
  const scale = niceCeiling(Math.max(0, ...buckets.map((bucket) => bucket.count)));
  const out = buckets.map((bucket) => {
    const start = millis(String(bucket.key));
    const counts = new Map<StatusClass, number>();
    let known = 0;
    for (const [key, count] of Object.entries(bucket.split ?? {})) {
      const kind = statusClass(key);
      counts.set(kind, (counts.get(kind) ?? 0) + count);
      known += count;
    }
    const rest = bucket.count - known;
    if (rest > 0) counts.set('other', (counts.get('other') ?? 0) + rest);
    let top = 1;
    const parts: Part[] = [];
    for (const kind of CLASSES) {
      const count = counts.get(kind) ?? 0;
      if (count === 0) continue;
      const height = count / scale;
      top -= height;
      parts.push({ kind, count, height, top });
    }
    return { start, end: start + length, count: bucket.count, parts };
  });
  return { bars: out, scale };
}

/** What a bar is called, on hover and by screen readers. */
export function barLabel(bar: Bar, zone: Zone): string {
  const fine = bar.end - bar.start < 60_000;
  const show = fine
    ? (at: number): string => moment(new Date(at).toISOString(), zone).slice(0, 19)
    : (at: number): string => minute(new Date(at).toISOString(), zone);
  const split = bar.parts
    .filter((part) => part.kind !== 'other')
    .toReversed()
    .map((part) => `${part.count.toLocaleString('en')} ${part.kind}`);
  const events = `${bar.count.toLocaleString('en')} ${bar.count === 1 ? 'event' : 'events'}`;
  return `${show(bar.start)} to ${show(bar.end).slice(11)}: ${[events, ...split].join(', ')}`;
}

const STEPS = [
  1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
].map((seconds) => seconds * 1000);

/** Where the time axis gets labels: round times, at most `most` of them. */
export function ticks(
  from: number,
  to: number,
  most: number,
  zone: Zone,
): { at: number; label: string }[] {
  const length = to - from;
  if (!(length > 0)) return [];
  const step = STEPS.find((candidate) => length / candidate <= most) ?? length;
  const shift = zone === 'utc' ? 0 : new Date(from).getTimezoneOffset() * 60_000;
  const out = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at < to; at += step) {
    const text = moment(new Date(at).toISOString(), zone);
    const label =
      step >= 86_400_000 ? text.slice(5, 10) : step < 60_000 ? text.slice(11, 19) : text.slice(11, 16);
    out.push({ at, label });
  }
  return out;
}
