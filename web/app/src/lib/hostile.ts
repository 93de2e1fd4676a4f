/**
 * Values of logs are written by attackers. Characters that are invisible or change the order of
 * the text around them are drawn as tokens; redaction tags are drawn as chips. Pure.
 */

export type Piece =
  | { kind: 'text'; text: string }
  /** A character that would not show; `label` is its short name, `text` the character. */
  | { kind: 'token'; text: string; label: string }
  /** A replaced secret: which rule, and the tail that tells equal secrets from others. */
  | { kind: 'redacted'; text: string; rule: string; tag: string };

const NAMES: Record<number, string> = {
  0x00: 'NUL', 0x07: 'BEL', 0x08: 'BS', 0x09: '⇥', 0x0a: '↵', 0x0d: '␍', 0x1b: 'ESC', 0x7f: 'DEL',
  0x85: 'NEL', 0xad: 'SHY', 0x61c: 'ALM', 0x180e: 'MVS', 0x200b: 'ZWSP', 0x200c: 'ZWNJ',
  0x200d: 'ZWJ', 0x200e: 'LRM', 0x200f: 'RLM', 0x2028: 'LS', 0x2029: 'PS', 0x202a: 'LRE',
  0x202b: 'RLE', 0x202c: 'PDF', 0x202d: 'LRO', 0x202e: 'RLO', 0x2060: 'WJ', 0x2066: 'LRI',
  0x2067: 'RLI', 0x2068: 'FSI', 0x2069: 'PDI', 0xfeff: 'BOM', 0xfffd: '�',
};

// C0, DEL and C1; soft hyphen; bidirectional controls; zero width and invisible operators; Hangul
// and Braille blanks; separators; interlinear marks; tag characters; lone surrogates.
const CHARACTER =
  '[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u115f\\u1160\\u180e\\u200b-\\u200f' +
  '\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb' +
  '\\u{e0000}-\\u{e007f}\\u{d800}-\\u{dfff}]';
const TAG = '\\[R:([a-z0-9_.-]{1,64}):([A-Za-z0-9_-]{1,32})(?::([a-z2-7]{4,32}))?\\]';
const ODD = new RegExp(`${TAG}|${CHARACTER}`, 'gu');
const ANY = new RegExp(`${TAG}|${CHARACTER}`, 'u');
const ANY_CHARACTER = new RegExp(CHARACTER, 'u');

/** The short name of an invisible character. */
export function label(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Whether `text` can be shown as it is. */
export function plain(text: string): boolean {
  return !ANY.test(text);
}

/** Whether `text` holds a character that hides or reorders text. */
export function suspicious(text: string): boolean {
  return ANY_CHARACTER.test(text.replace(/[\t\n\r]/g, ''));
}

/** Cuts `text` into what is shown as it is and what is drawn. Joined texts give `text` again. */
export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(ODD)) {
    if (match.index > end) out.push({ kind: 'text', text: text.slice(end, match.index) });
    const found = match[0];
    out.push(
      match[1] === undefined
        ? { kind: 'token', text: found, label: label(found) }
        : { kind: 'redacted', text: found, rule: match[1], tag: (match[3] ?? '').slice(0, 4) },
    );
    end = match.index + found.length;
  }
  if (end < text.length) out.push({ kind: 'text', text: text.slice(end) });
  return out;
}

/** Any value of an event as one line of text. */
export function display(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(display).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number);
}

/** JSON in which invisible characters are escaped, so that what is copied is what is seen. */
export function visibleJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2) ?? 'null';
  return text.replace(new RegExp(CHARACTER, 'gu'), (found) => {
    if (found === '\n') return found;
    let out = '';
    for (let at = 0; at < found.length; at++) {
      out += `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`;
    }
    return out;
  });
}
