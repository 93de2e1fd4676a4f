/** What of an event is worth seeing first, in groups. Pure. */

import { display } from './hostile';
import { address } from './address';
import { filter } from './query';
import { iso, millis, span } from './time';
import type { EventRow } from './types';

export interface Fact {
  name: string;
  /** The field, to filter by. */
  field: string;
  value: string;
  /** What is shown in place of the value. */
  shown?: string;
}

const GROUPS: [string, [string, string][]][] = [
  [
    'Request',
    [
      ['Method', 'http.request.method'],
      ['Route', 'http.route'],
      ['Path', 'url.path'],
      ['Query', 'url.query'],
      ['Host', 'url.domain'],
      ['Status', 'http.response.status_code'],
      ['Took', 'event.duration'],
      ['Sent', 'http.response.bytes'],
    ],
  ],
  [
    'Caller',
    [
      ['Client', 'client.ip'],
      ['Client', 'client.address'],
      ['Country', 'client.geo.country_iso_code'],
      ['Network', 'client.as.organization.name'],
      ['AS number', 'client.as.number'],
      ['User', 'user.id'],
      ['Name', 'user.name'],
      ['Mail', 'user.email'],
      ['Roles', 'user.roles'],
      ['Tenant', 'organization.id'],
      ['Method', 'auth.method'],
      ['Credential', 'auth.credential_id'],
      ['Agent', 'user_agent.original'],
    ],
  ],
  [
    'What happened',
    [
      ['Action', 'event.action'],
      ['Outcome', 'event.outcome'],
      ['Reason', 'event.reason'],
      ['Level', 'log.level'],
      ['Error', 'error.message'],
      ['Service', 'service.name'],
      ['Version', 'service.version'],
      ['Host', 'host.name'],
      ['Source', 'event.provider'],
      ['Notes', 'event.notes'],
      ['Redacted', 'redaction.rules'],
    ],
  ],
];

/** Fields that tie events together; each leads to the request page. */
export const ID_FIELDS = [
  'correlation.id',
  'http.request.id',
  'trace.id',
  'session.id',
  'correlation.ids',
];

export function facts(event: EventRow): { title: string; facts: Fact[] }[] {
  return GROUPS.map(([title, fields]) => ({
    title,
    facts: fields.flatMap(([name, field]): Fact[] => {
      const value = display(event[field]);
      if (value === '') return [];
      const shown = field === 'event.duration' ? span(Number(value) / 1e6) : undefined;
      return [{ name, field, value, ...(shown !== undefined && { shown }) }];
    }),
  })).filter((group) => group.facts.length > 0);
}

/** The ids of an event, each once, the one of its request first. */
export function ids(event: EventRow): { field: string; value: string }[] {
  const out: { field: string; value: string }[] = [];
  for (const field of ID_FIELDS) {
    const found = event[field];
    for (const one of Array.isArray(found) ? found : [found]) {
      const value = display(one);
      if (value && !out.some((known) => known.value === value)) out.push({ field, value });
    }
  }
  return out;
}

/** All fields, names sorted, several values one under the other. */
export function allFields(event: EventRow): { field: string; values: string[] }[] {
  return Object.entries(event)
    .map(([field, value]) => ({
      field,
      values: Array.isArray(value) ? value.map(display) : [display(value)],
    }))
    .toSorted((a, b) => a.field.localeCompare(b.field));
}

const AROUND_MS = 30_000;

/** Searches for what else happened at that time: the filters of the page are left behind. */
export function around(event: EventRow): { name: string; address: string }[] {
  const at = millis(event['@timestamp']);
  if (Number.isNaN(at)) return [];
  const range = { from: iso(at - AROUND_MS), to: iso(at + AROUND_MS), sel: event.id };
  const same: [string, string][] = [
    ['same service', 'service.name'],
    ['same client', 'client.ip'],
    ['same user', 'user.id'],
  ];
  const known = same.flatMap(([name, field]) => {
    const value = display(event[field]);
    return value ? [{ name, address: address('/search', { q: filter(field, value), ...range }) }] : [];
  });
  return [{ name: 'everything', address: address('/search', range) }, ...known];
}
