import { expect, test } from 'vitest';

import { allFields, facts, ids } from './overview';

const EVENT = {
  id: 'evt_1',
  '@timestamp': '2026-11-21T12:00:00Z',
  'http.route': '/v1/x',
  'event.duration': 41_200_000,
  'http.request.id': 'r1',
  'correlation.id': 'r1',
  'correlation.ids': ['t1', 'r1'],
  'user.roles': ['a', 'b'],
};

test('groups without facts are left out and durations are readable', () => {
  const groups = facts(EVENT);
  expect(groups.map((group) => group.title)).toEqual(['Request', 'Caller']);
  expect(groups[0]?.facts[1]).toMatchObject({ value: '41200000', shown: '41.2 ms' });
});

test('each id is listed once', () => {
  expect(ids(EVENT)).toEqual([
    { field: 'correlation.id', value: 'r1' },
    { field: 'correlation.ids', value: 't1' },
  ]);
});

test('all fields are there, values apart', () => {
  const all = allFields(EVENT);
  expect(all).toHaveLength(Object.keys(EVENT).length);
  expect(all.find((entry) => entry.field === 'user.roles')?.values).toEqual(['a', 'b']);
});
