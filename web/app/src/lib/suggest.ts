/** Suggestions while a query is typed: names of fields, then values of this result. Pure. */

import { display } from './hostile';
import { quote } from './query';
import type { Aggregation, FieldInfo } from './types';

export interface Suggestion {
  /** What the word under the cursor becomes. */
  text: string;
  hint: string;
}

export interface Suggestions {
  from: number;
  to: number;
  items: Suggestion[];
}

export const NONE: Suggestions = { from: 0, to: 0, items: [] };
const MOST = 8;

export function suggest(
  query: string,
  caret: number,
  fields: FieldInfo[],
  values: Record<string, Aggregation>,
): Suggestions {
  const before = query.slice(0, caret);
  if ((before.match(/(?<!\\)"/g) ?? []).length % 2 === 1) return NONE;
  const word = /[^\s()]*$/.exec(before)?.[0] ?? '';
  const sign = /^[-!]/.exec(word)?.[0] ?? '';
  const body = word.slice(sign.length);
  const from = caret - body.length;
  const colon = body.indexOf(':');
  if (colon === -1) {
    if (body.length < 2) return NONE;
    const low = body.toLowerCase();
    const rank = (name: string): number =>
      name.startsWith(low) ? 0 : name.includes(`.${low}`) ? 1 : name.includes(low) ? 2 : 3;
    const items = fields
      .filter((field) => rank(field.name) < 3 && field.name !== body)
      .toSorted((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name))
      .slice(0, MOST)
      .map((field) => ({ text: `${field.name}:`, hint: field.doc }));
    return { from, to: caret, items };
  }
  const known = values[body.slice(0, colon)];
  if (!known) return NONE;
  const typed = body.slice(colon + 1).toLowerCase();
  const items = known.buckets
    .map((bucket) => ({ value: display(bucket.key), count: bucket.count }))
    .filter(({ value }) => value.toLowerCase().includes(typed) && value.toLowerCase() !== typed)
    .slice(0, MOST)
    .map(({ value, count }) => ({ text: quote(value), hint: count.toLocaleString('en') }));
  return { from: from + colon + 1, to: caret, items };
}
