import { expect, test } from 'vitest';

import { ago, clock, millis, moment, rangeLabel, resolve, span, typed } from './time';

const NOW = Date.parse('2026-11-21T12:30:00Z');

test.each([
  ['15m', 'now-15m', 'now'],
  ['last 2 hours', 'now-2h', 'now'],
  ['90 min', 'now-90m', 'now'],
  ['now-2h to now-1h', 'now-2h', 'now-1h'],
  ['3h ago', 'now-3h', 'now'],
  ['2026-11-20', '2026-11-20T00:00:00.000Z', '2026-11-21T00:00:00.000Z'],
  ['yesterday', '2026-11-20T00:00:00.000Z', '2026-11-21T00:00:00.000Z'],
  ['2026-11-20 10:00', '2026-11-20T10:00:00.000Z', 'now'],
  ['10:00', '2026-11-21T10:00:00.000Z', 'now'],
  ['2026-11-20 10:00 - 11:30', '2026-11-20T10:00:00.000Z', '2026-11-20T11:30:00.000Z'],
  ['2026-11-20 10:00 +30m', '2026-11-20T10:00:00.000Z', '2026-11-20T10:30:00.000Z'],
  ['2026-11-18 to 2026-11-19', '2026-11-18T00:00:00.000Z', '2026-11-20T00:00:00.000Z'],
  ['2026-11-20T10:00:00Z to now', '2026-11-20T10:00:00.000Z', 'now'],
])('%j is read', (text, from, to) => {
  expect(typed(text, NOW, 'utc')).toEqual({ from, to });
});

test.each(['', 'soon', '25:00', 'now to now-1h', '10:00 - 09:00', 'a to b to c', '12 parsecs'])(
  '%j is not understood',
  (text) => {
    expect(typed(text, NOW, 'utc')).toBeNull();
  },
);

test('expressions of the API mean moments', () => {
  expect(resolve('now', NOW)).toBe(NOW);
  expect(resolve('now-1d', NOW)).toBe(NOW - 86_400_000);
  expect(resolve('2026-11-21T12:30:00Z', NOW)).toBe(NOW);
  expect(resolve('yesterday', NOW)).toBeNull();
});

test('fractions below a millisecond are kept', () => {
  expect(millis('2026-11-21T12:30:00.123456Z') - NOW).toBeCloseTo(123.456, 3);
  expect(millis('2026-11-21T12:30:00Z')).toBe(NOW);
  expect(clock('2026-11-21T12:30:00.123456789Z', 'utc')).toBe('12:30:00.123');
  expect(moment('not a time', 'utc')).toBe('not a time');
});

test.each([
  [0, '0 ms'],
  [0.812, '812 µs'],
  [41.23, '41.2 ms'],
  [812, '812 ms'],
  [1240, '1.24 s'],
  [200_000, '3 min 20 s'],
  [7_200_000, '2 h'],
])('%d ms reads %j', (ms, expected) => {
  expect(span(ms)).toBe(expected);
});

test('ages and ranges read well', () => {
  expect(ago('2026-11-21T12:29:48Z', NOW)).toBe('12 s');
  expect(ago('2026-11-19T12:29:48Z', NOW)).toBe('2 d');
  expect(rangeLabel({ from: 'now-1h', to: 'now' }, 'utc')).toBe('Last hour');
  expect(rangeLabel({ from: 'now-90m', to: 'now' }, 'utc')).toBe('Last 90 m');
  const range = { from: '2026-11-20T10:00:00.000Z', to: '2026-11-20T11:30:00.000Z' };
  expect(rangeLabel(range, 'utc')).toBe('2026-11-20 10:00 – 11:30');
});
