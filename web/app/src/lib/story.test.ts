import { expect, test } from 'vitest';

import { barLabel, bars, niceCeiling, statusClass, ticks } from './histogram';
import { layout, marks } from './lanes';
import { cell, note, title } from './note';
import type { Story, StoryEvent } from './types';

const event = (id: string, service: string, endMs: number, durationMs: number): StoryEvent => ({
  id,
  '@timestamp': new Date(1_700_000_000_000 + endMs).toISOString(),
  'event.duration': durationMs * 1e6,
  'service.name': service,
  'http.request.method': 'POST',
  'http.route': '/v1/orders/{id}',
});

test('start is the time of the line minus its duration', () => {
  const laid = layout([event('a', 'gateway', 400, 400), event('b', 'auth', 60, 40)]);
  expect(laid.length).toBe(400);
  expect(laid.lanes.map((lane) => lane.name)).toEqual(['gateway', 'auth']);
  expect(laid.lanes[1]?.bars[0]).toMatchObject({ start: 20, length: 40, row: 0 });
});

test('bars of one row never overlap', () => {
  const events = [
    event('a', 's', 100, 100),
    event('b', 's', 90, 50),
    event('c', 's', 200, 90),
    event('d', 's', 95, 0),
  ];
  const lane = layout(events).lanes[0];
  expect(lane?.rows).toBeGreaterThan(1);
  for (const one of lane?.bars ?? []) {
    for (const two of lane?.bars ?? []) {
      if (one === two || one.row !== two.row) continue;
      const apart = one.start + one.length <= two.start || two.start + two.length <= one.start;
      expect(apart).toBe(true);
    }
  }
});

test('time no service accounts for is a gap', () => {
  const laid = layout([
    event('a', 'gateway', 400, 400),
    event('b', 'auth', 50, 50),
    event('c', 'orders', 300, 250),
  ]);
  expect(laid.gaps).toEqual([{ start: 300, length: 100 }]);
  expect(layout([event('a', 'gateway', 400, 400)]).gaps).toEqual([]);
});

test('one event without duration and no event at all have a layout', () => {
  expect(layout([event('a', 's', 5, 0)]).length).toBeGreaterThan(0);
  expect(layout([]).lanes).toEqual([]);
});

test('marks are round and few', () => {
  expect(marks(412, 6)).toEqual([0, 100, 200, 300, 400]);
  expect(marks(0.5, 5).length).toBeLessThanOrEqual(6);
});

test('a note holds no markup of the log', () => {
  const story: Story = {
    id: 'req-1',
    matched_by: 'correlation.id',
    events: [
      { ...event('a', 'gate|way', 10, 10), 'http.route': '[x](https://evil) `a` <b>\u202e' },
    ],
    services: [],
    start: new Date(1_700_000_000_000).toISOString(),
    end: null,
    duration_ms: 10,
    alerts: [],
  };
  const text = note(story, 'https://host/requests/req-1');
  expect(text).toContain('gate\\|way');
  expect(text).toContain('‹RLO›');
  expect(text).not.toMatch(/[^\\]\]\(https/);
  expect(text).toContain('| +0 ms |');
  expect(cell('a\nb')).toBe('a‹↵›b');
  expect(title(event('a', 's', 0, 0))).toBe('POST /v1/orders/{id}');
});

test('the histogram stacks what needs eyes on top', () => {
  const buckets = [
    { key: '2026-11-21T12:00:00Z', count: 10, split: { '2xx': 6, '5xx': 1, '4xx': 2 } },
    { key: '2026-11-21T12:01:00Z', count: 0 },
  ];
  const { bars: drawn, scale } = bars(buckets, 60_000);
  expect(scale).toBe(10);
  expect(drawn[0]?.parts.map((part) => part.kind)).toEqual(['other', '2xx', '4xx', '5xx']);
  expect(drawn[0]?.parts.at(-1)?.top).toBeCloseTo(0);
  expect(drawn[1]?.end).toBe(Date.parse('2026-11-21T12:02:00Z'));
  expect(drawn[0] && barLabel(drawn[0], 'utc')).toBe(
    '2026-11-21 12:00 to 12:01: 10 events, 1 5xx, 2 4xx, 6 2xx',
  );
});

test('scale, classes and ticks are round', () => {
  expect([0, 1, 3, 11, 200, 201].map(niceCeiling)).toEqual([1, 1, 3, 15, 200, 300]);
  expect([200, '404', '5xx', 'odd', null].map(statusClass)).toEqual([
    '2xx', '4xx', '5xx', 'other', 'other',
  ]);
  const from = Date.parse('2026-11-21T12:03:00Z');
  expect(ticks(from, from + 3_600_000, 5, 'utc').map((tick) => tick.label)).toEqual([
    '12:15', '12:30', '12:45', '13:00',
  ]);
});
