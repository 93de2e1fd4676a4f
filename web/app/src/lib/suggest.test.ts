import { expect, test } from 'vitest';

import { suggest } from './suggest';

const FIELDS = ['http.route', 'http.response.status_code', 'user.id', 'client.ip'].map((name) => ({
  name,
  kind: 'keyword',
  doc: '',
}));
const VALUES = {
  'http.route': {
    buckets: [
      { key: '/v1/login', count: 9 },
      { key: '/v1/users', count: 3 },
    ],
  },
};

test.each([
  ['ro', ['http.route:']],
  ['a -us', ['user.id:', 'http.response.status_code:']],
  ['(http', ['http.response.status_code:', 'http.route:']],
  ['h', []],
  ['', []],
  ['http.route:log', ['"/v1/login"']],
  ['x http.route:', ['"/v1/login"', '"/v1/users"']],
  ['user.id:a', []],
  ['message:"us', []],
])('%j suggests %j', (query, expected) => {
  const found = suggest(query, query.length, FIELDS, VALUES);
  expect(found.items.map((item) => item.text)).toEqual(expected);
});

test('the word under the cursor is replaced, not the whole query', () => {
  const found = suggest('-us x', 3, FIELDS, VALUES);
  expect([found.from, found.to]).toEqual([1, 3]);
});
