// A small part of the query language, enough to click through the pages.

export class QueryError extends Error {
  constructor(message, position, suggestion) {
    super(message);
    this.position = position;
    this.suggestion = suggestion;
  }
}

function tokens(text) {
  const out = [];
  const pattern = /\s+|(-?)([A-Za-z_@][\w.@-]*):("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^\s()"][^\s()]*)|(-?)"((?:[^"\\]|\\.)*)"|([()])|(-?)([^\s()":]+)/gy;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (!match) {
      const open = text.slice(at).includes('"');
      throw new QueryError(open ? 'This quotation mark is never closed.' : `Unexpected ${JSON.stringify(text[at])}.`, at, open ? `${text}"` : undefined);
    }
    const [, minus, field, value, minus2, phrase, paren, minus3, word] = match;
    if (field) out.push({ at, not: minus === '-', field, value });
    else if (phrase !== undefined) out.push({ at, not: minus2 === '-', word: phrase });
    else if (paren) out.push({ at, paren });
    else if (word) out.push({ at, not: minus3 === '-', word });
  }
  return out;
}

function test(event, token) {
  if (token.word !== undefined) return String(event.message ?? '').toLowerCase().includes(token.word.toLowerCase());
  const raw = token.value.startsWith('"') ? token.value.slice(1, -1).replace(/\\(.)/g, '$1') : token.value;
  if (token.field === 'id') {
    return ['correlation.id', 'trace.id', 'http.request.id', 'session.id'].some((name) => String(event[name]).includes(raw));
  }
  const have = [event[token.field]].flat();
  if (raw === '*' && !token.value.startsWith('"')) return have[0] !== undefined;
  const compare = /^(>=|<=|>|<)(.+)$/.exec(token.value);
  if (compare) {
    const [left, right] = [Number(have[0]), Number(compare[2])];
    return { '>=': left >= right, '<=': left <= right, '>': left > right, '<': left < right }[compare[1]];
  }
  return have.some((value) => value !== undefined && String(value).toLowerCase() === raw.toLowerCase());
}

export function compile(text) {
  const list = tokens(text);
  let at = 0;
  const either = () => {
    let left = both();
    while (list[at]?.word === 'OR') {
      at++;
      const [a, b] = [left, both()];
      left = (event) => a(event) || b(event);
    }
    return left;
  };
  const both = () => {
    const parts = [];
    while (at < list.length && list[at].paren !== ')' && list[at].word !== 'OR') {
      let not = false;
      while (['AND', 'NOT'].includes(list[at]?.word)) not = list[at++].word === 'NOT' ? !not : not;
      const token = list[at++];
      if (!token) throw new QueryError('The query ends too early.', text.length);
      if (token.paren === '(') {
        const inner = either();
        if (list[at]?.paren !== ')') throw new QueryError('This parenthesis is never closed.', token.at, `${text})`);
        at++;
        parts.push((event) => inner(event) !== not);
      } else parts.push((event) => test(event, token) !== (token.not !== not));
    }
    return (event) => parts.every((part) => part(event));
  };
  const out = either();
  if (at < list.length) throw new QueryError('This parenthesis was never opened.', list[at].at);
  return out;
}
