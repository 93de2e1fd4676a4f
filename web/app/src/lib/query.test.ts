import { expect, test } from 'vitest';

import { filter, quote, renamed, state, terms, toggle, without } from './query';

test.each([
  ['login', 'login'],
  ['10.0.0.1', '10.0.0.1'],
  ['/v1/login', '"/v1/login"'],
  ['2001:db8::1', '"2001:db8::1"'],
  ['say "hi" \\ there', '"say \\"hi\\" \\\\ there"'],
  ['NOT', '"NOT"'],
  ['-5', '"-5"'],
  ['a*', '"a*"'],
  ['', '""'],
])('%j is written %j', (value, expected) => {
  expect(quote(value)).toBe(expected);
});

test('a conjunction is cut into its terms', () => {
  const text = 'status:>=400 AND route:"/v1/a b" -client.ip:10.0.0.0/8 NOT (a OR b) time:[1 TO 2]';
  const found = terms(text)?.map((term) => [text.slice(term.start, term.end), term.negated]);
  expect(found).toEqual([
    ['status:>=400', false],
    ['route:"/v1/a b"', false],
    ['-client.ip:10.0.0.0/8', true],
    ['NOT (a OR b)', true],
    ['time:[1 TO 2]', false],
  ]);
  expect(terms('a OR b')).toBeNull();
});

test.each([
  ['', 'user.id', 'u1', 'in', 'user.id:u1'],
  ['error', 'user.id', 'u1', 'out', 'error -user.id:u1'],
  ['user.id:u1 error', 'user.id', 'u1', 'in', 'error'],
  ['user.id:u1 error', 'user.id', 'u1', 'out', 'error -user.id:u1'],
  ['a AND -user.id:"u1" AND b', 'user.id', 'u1', 'out', 'a AND b'],
  ['a OR b', 'user.id', 'u1', 'in', '(a OR b) user.id:u1'],
  ['http.route:"/v1/x"', 'http.route', '/v1/x', 'in', ''],
  ['NOT user.id:u1', 'user.id', 'u1', 'in', 'user.id:u1'],
] as const)('%j with %s=%s %s is %j', (query, field, value, mode, expected) => {
  expect(toggle(query, field, value, mode)).toBe(expected);
});

test('a filter is found again, whatever the value', () => {
  for (const value of ['u1', '/v1/{id}', 'a"b\\c', 'x y', '<img onerror=1>', '10.0.0.1', 'ü:ß']) {
    for (const mode of ['in', 'out'] as const) {
      const query = toggle('status:500', 'f.g', value, mode);
      expect(state(query, 'f.g', value), query).toBe(mode);
      expect(toggle(query, 'f.g', value, mode)).toBe('status:500');
    }
  }
  expect(state('a', 'f', 'x')).toBeNull();
});

test('removing a term leaves a query that reads well', () => {
  const text = 'a AND b AND c';
  const cut = terms(text)?.map((term) => without(text, term));
  expect(cut).toEqual(['b AND c', 'a AND c', 'a AND b']);
  expect(filter('a', 'b c', 'out')).toBe('-a:"b c"');
});

test('a name is renamed where it is one', () => {
  expect(renamed('statsu:404 -(a.statsu:1 OR ext.Statsu:2) "statsu" statsu', 'statsu', 'status')).toBe(
    'status:404 -(a.statsu:1 OR status:2) "statsu" statsu',
  );
});
