/** One request as a Markdown note for an incident. Pure. */

import { plural } from './format';
import { display, pieces } from './hostile';
import { serviceOf, when } from './lanes';
import { millis, moment, span } from './time';
import type { EventRow, Story } from './types';

/** Log text inside a table cell: no markup of its own, no invisible characters, one line. */
export function cell(value: unknown): string {
  const visible = pieces(display(value))
    .map((piece) => (piece.kind === 'token' ? `‹${piece.label}›` : piece.text))
    .join('');
  return visible.replace(/[\\`*_{}[\]()#+!|<>~&@]/g, '\\$&').replace(/:\/\//g, ':\\//').replace(/\bwww\./gi, 'www\\.');
}

/** Method and route, the message, or the action: what an event was. */
export function title(event: EventRow): string {
  const method = display(event['http.request.method']);
  const target = display(event['http.route'] ?? event['url.path']);
  if (target) return [method, target].filter(Boolean).join(' ');
  return display(event.message) || display(event['event.action']) || event.id;
}

export function note(story: Story, address: string): string {
  const first = story.events[0];
  const length = story.duration_ms === null ? '' : `, ${span(story.duration_ms)}`;
  const lines = [
    `### Request ${cell(story.id)}`,
    '',
    `${plural(story.events.length, 'event')} from ${plural(story.services.length, 'service')}${length}. ` +
      (story.start ? `Started ${moment(story.start, 'utc')} UTC.` : ''),
    '',
  ];
  for (const name of ['client.ip', 'user.id', 'user_agent.original']) {
    const value = story.events.map((event) => event[name]).find((found) => found !== undefined);
    if (value !== undefined) lines.push(`- ${name}: ${cell(value)}`);
  }
  for (const alert of story.alerts) {
    lines.push(`- alert (${alert.severity}, ${alert.status}): ${cell(alert.title)}`);
  }
  lines.push('', '| at | service | status | took | what |', '|---|---|---|---|---|');
  const origin = story.start ? millis(story.start) : millis(first?.['@timestamp'] ?? '');
  for (const event of story.events) {
    const start = when(event).start - origin;
    const took = Number(event['event.duration'] ?? 0) / 1e6;
    const columns = [
      `+${span(Math.max(0, start))}`,
      cell(serviceOf(event)),
      cell(event['http.response.status_code']),
      took > 0 ? span(took) : '',
      cell(title(event)),
    ];
    lines.push(`| ${columns.join(' | ')} |`);
  }
  lines.push('', `Source: ${address}`);
  return `${lines.join('\n')}\n`;
}
