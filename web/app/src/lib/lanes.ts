/** The timeline of one request: plain logs laid out as a waterfall. Pure. */

import { millis } from './time';
import type { StoryEvent } from './types';

export interface Bar {
  event: StoryEvent;
  /** Milliseconds since the start of the story. */
  start: number;
  length: number;
  /** Row inside the lane: bars of one row never overlap. */
  row: number;
}

export interface Lane {
  name: string;
  bars: Bar[];
  rows: number;
}

export interface Layout {
  /** Start of the story, milliseconds since 1970. */
  origin: number;
  /** Length of the story in milliseconds, at least one. */
  length: number;
  lanes: Lane[];
  /** Stretches of the longest event in which no other service says it worked. */
  gaps: { start: number; length: number }[];
}

const NO_SERVICE = 'no service name';

/** Start and end of an event: logs carry the end and how long it took. */
export function when(event: StoryEvent): { start: number; end: number } {
  const end = millis(event['@timestamp']);
  const duration = Number(event['event.duration'] ?? 0) / 1e6;
  const start = event.start ? millis(event.start) : end - (duration > 0 ? duration : 0);
  return { start: Math.min(start, end), end };
}

export function serviceOf(event: StoryEvent): string {
  const name = event.lane ?? event['service.name'];
  return typeof name === 'string' && name ? name : NO_SERVICE;
}

/** The longest stretches of `[start, end]` no interval covers; short ones are noise. */
function uncovered(
  start: number,
  end: number,
  covered: { start: number; end: number }[],
): { start: number; length: number }[] {
  const out = [];
  let at = start;
  const least = Math.max((end - start) * 0.1, 1);
  for (const piece of [...covered.toSorted((a, b) => a.start - b.start), { start: end, end }]) {
    const length = Math.min(piece.start, end) - at;
    if (length >= least) out.push({ start: at, length });
    at = Math.max(at, piece.end);
  }
  return out;
}

/** Puts each bar into the first row in which it fits; a dot takes `dot` of room. */
function pack(bars: Bar[], dot: number): number {
  const ends: number[] = [];
  for (const bar of bars) {
    const end = bar.start + Math.max(bar.length, dot);
    const free = ends.findIndex((taken) => taken <= bar.start);
    bar.row = free === -1 ? ends.length : free;
    ends[bar.row] = end;
  }
  return Math.max(1, ends.length);
}

export function layout(events: StoryEvent[]): Layout {
  const timed = events.map((event) => ({ event, ...when(event) }));
  const origin = Math.min(...timed.map((entry) => entry.start));
  const end = Math.max(...timed.map((entry) => entry.end));
  if (!Number.isFinite(origin)) return { origin: 0, length: 1, lanes: [], gaps: [] };
  const length = Math.max(end - origin, 1);

  const lanes = new Map<string, Bar[]>();
  for (const { event, start, end } of timed.toSorted((a, b) => a.start - b.start)) {
    const bar = { event, start: start - origin, length: end - start, row: 0 };
    const name = serviceOf(event);
    const lane = lanes.get(name);
    if (lane) lane.push(bar);
    else lanes.set(name, [bar]);
  }
  const dot = length * 0.012;
  const laid = [...lanes].map(([name, bars]) => ({ name, bars, rows: pack(bars, dot) }));

  const root = timed.toSorted((a, b) => b.end - b.start - (a.end - a.start))[0];
  const others = timed.filter(
    (entry) => entry.end > entry.start && serviceOf(entry.event) !== serviceOf(root?.event ?? entry.event),
  );
  const gaps =
    root && root.end > root.start && others.length > 0
      ? uncovered(root.start, root.end, others).map((gap) => ({
          ...gap,
          start: gap.start - origin,
        }))
      : [];
  return { origin, length, lanes: laid, gaps };
}

/** Round marks of the axis, in milliseconds since the start. */
export function marks(length: number, most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(length / most));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((s) => length / s <= most);
  const out = [];
  for (let at = 0; step && at <= length * 1.0001; at += step) out.push(at);
  return out;
}
