import { expect, test } from 'vitest';

import { allFields, around, facts, ids } from './overview';

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

test('what happened around an event is a search of half a minute each way', () => {
  const links = around({ ...EVENT, 'user.id': 'u 1' });
  expect(links.map((link) => link.name)).toEqual(['everything', 'same user']);
  expect(links[1]?.address).toBe(
    '/search?q=user.id:%22u+1%22&from=2026-11-21T11:59:30.000Z&to=2026-11-21T12:00:30.000Z&sel=evt_1',
  );
  expect(around({ id: 'x', '@timestamp': 'not a time' })).toEqual([]);
});
