/**
 * Changing a query by clicking. Reads only as much of the language as it needs: the top-level
 * terms. What is not understood is left alone. Pure.
 */

export interface Term {
  start: number;
  end: number;
  negated: boolean;
  /** Set for `field:value`. */
  field?: string;
  /** The value without quotes and escapes. */
  value?: string;
}

export type Mode = 'in' | 'out';

const KEYWORDS = new Set(['AND', 'OR', 'NOT', 'TO']);

/** The value as it must be written to mean exactly itself. */
export function quote(value: string): string {
  const bare = /^[\p{L}\p{N}_][\p{L}\p{N}_.@-]*$/u.test(value) && !KEYWORDS.has(value);
  return bare ? value : `"${value.replace(/[\\"]/g, '\\$&')}"`;
}

/** `field:value`, or `-field:value`. */
export function filter(field: string, value: string, mode: Mode = 'in'): string {
  return `${mode === 'out' ? '-' : ''}${field}:${quote(value)}`;
}

/** The end of the term that starts at `at`: quotes, brackets and parentheses hold it together. */
function termEnd(query: string, at: number): number {
  let depth = 0;
  let quoted = false;
  for (let end = at; end < query.length; end++) {
    const letter = query.charAt(end);
    if (letter === '\\') end++;
    else if (letter === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (letter === '(' || letter === '[' || letter === '{') depth++;
    else if (letter === ')' || letter === ']' || letter === '}') depth = Math.max(0, depth - 1);
    else if (depth === 0 && /\s/.test(letter)) return end;
  }
  return query.length;
}

function describe(text: string): Pick<Term, 'field' | 'value'> {
  const match = /^([A-Za-z_@][\w.@-]*):([\s\S]+)$/.exec(text);
  if (!match?.[1] || !match[2]) return {};
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(match[2]);
  const raw = quoted ? (quoted[1] ?? '') : match[2];
  return { field: match[1], value: raw.replace(/\\(.)/g, '$1') };
}

/** The top-level terms of a query that is a plain conjunction; `null` if it is not one. */
export function terms(query: string): Term[] | null {
  const out: Term[] = [];
  let negated = false;
  let start: number | null = null;
  for (let at = 0; at < query.length; ) {
    if (/\s/.test(query.charAt(at))) {
      at++;
      continue;
    }
    const end = termEnd(query, at);
    let text = query.slice(at, end);
    if (text === 'OR') return null;
    if (text === 'NOT') {
      negated = !negated;
      start ??= at;
    } else if (text !== 'AND') {
      const from = start ?? at;
      if (/^[-!]./.test(text)) {
        negated = !negated;
        text = text.slice(1);
      }
      out.push({ start: from, end, negated, ...describe(text) });
      negated = false;
      start = null;
    }
    at = end;
  }
  return out;
}

/** The query without the term and without an AND that would be left hanging. */
export function without(query: string, term: Term): string {
  const before = query.slice(0, term.start).trimEnd().replace(/(?:^|\s+)AND$/, '');
  const after = query.slice(term.end).trim();
  if (!after) return before;
  return before ? `${before} ${after}` : after.replace(/^AND\s+/, '');
}

/** Whether the query already filters for or out exactly this value. */
export function state(query: string, field: string, value: string): Mode | null {
  const found = terms(query)?.find((term) => term.field === field && term.value === value);
  if (!found) return null;
  return found.negated ? 'out' : 'in';
}

/** Adds the filter; takes it away if it is there; turns it round if its opposite is there. */
export function toggle(query: string, field: string, value: string, mode: Mode): string {
  const added = filter(field, value, mode);
  const all = terms(query);
  if (all === null) return `(${query.trim()}) ${added}`;
  const found = all.find((term) => term.field === field && term.value === value);
  if (!found) return query.trim() ? `${query.trim()} ${added}` : added;
  const rest = without(query, found);
  const same = (found.negated ? 'out' : 'in') === mode;
  return same ? rest : rest ? `${rest} ${added}` : added;
}

/** The query with one name of a field in place of another. */
export function renamed(query: string, name: string, meant: string): string {
  const written = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return query.replace(new RegExp(`(?<![\\w.@/-])(?:ext\\.)?${written}(?=:)`, 'gi'), meant);
}
