import { expect, test } from 'vitest';

import { display, pieces, plain, suspicious, visibleJson } from './hostile';

const drawn = (text: string): string =>
  pieces(text)
    .map((piece) => {
      if (piece.kind === 'text') return piece.text;
      return piece.kind === 'token' ? `<${piece.label}>` : `(${piece.rule}·${piece.tag})`;
    })
    .join('');

test.each([
  ['GET /v1/users', 'GET /v1/users'],
  ['admin\u202Etxt.exe', 'admin<RLO>txt.exe'],
  ['a\u0000b\u001b[31mred', 'a<NUL>b<ESC>[31mred'],
  ['pay\u200Bpal', 'pay<ZWSP>pal'],
  ['line\nnext\ttab\r', 'line<↵>next<⇥>tab<␍>'],
  ['\u2066x\u2069', '<LRI>x<PDI>'],
  ['\u0090', '<U+0090>'],
  ['lone \ud800 half', 'lone <U+D800> half'],
  ['tag \u{e0041}', 'tag <U+E0041>'],
  ['smile 😀 ünï 漢字 עברית', 'smile 😀 ünï 漢字 עברית'],
  ['Bearer [R:jwt:k1:mfrggzdfmztwq2lk] end', 'Bearer (jwt·mfrg) end'],
  ['cvv [R:cvv:k1]', 'cvv (cvv·)'],
  ['not a tag [R:x', 'not a tag [R:x'],
  ['<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
  ['', ''],
])('%j is drawn as %j', (text, expected) => {
  expect(drawn(text)).toBe(expected);
  expect(pieces(text).map((piece) => piece.text).join('')).toBe(text);
});

test('every control, bidi and zero-width character is drawn', () => {
  const ranges: [number, number][] = [
    [0, 0x1f], [0x7f, 0x9f], [0x200b, 0x200f], [0x2028, 0x202e], [0x2060, 0x206f], [0xfeff, 0xfeff],
  ];
  for (const [from, to] of ranges) {
    for (let code = from; code <= to; code++) {
      const text = `a${String.fromCharCode(code)}b`;
      expect(plain(text), code.toString(16)).toBe(false);
      expect(pieces(text)[1]?.kind).toBe('token');
    }
  }
});

test('line breaks alone are not suspicious', () => {
  expect(suspicious('a\nb\tc')).toBe(false);
  expect(suspicious('a\u202eb')).toBe(true);
  expect(suspicious('[R:jwt:k1:mfrggzdf]')).toBe(false);
});

test('copied JSON shows what it holds and means the same', () => {
  const value = { a: 'x\u202ey\u{e0041}', b: [1, null] };
  const text = visibleJson(value);
  expect(text).toContain('\\u202e');
  expect(plain(text.replace(/\n/g, ''))).toBe(true);
  expect(JSON.parse(text)).toEqual(value);
});

test('values of any kind become one line', () => {
  expect(display(['a', 1, true])).toBe('a, 1, true');
  expect(display(null)).toBe('');
  expect(display({ a: 1 })).toBe('{"a":1}');
});
