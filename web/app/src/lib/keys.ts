/** Keyboard: one map, shown by `?`. */

export const KEYS: { group: string; keys: [string, string][] }[] = [
  {
    group: 'Everywhere',
    keys: [
      ['?', 'This help'],
      ['/', 'To the query or filter'],
      ['i', 'Find a request by any id'],
      ['g s', 'Go to Search'],
      ['g r', 'Go to Requests'],
      ['g a', 'Go to Alerts'],
      ['g u', 'Go to Rules'],
      ['Esc', 'Close, or leave a field'],
    ],
  },
  {
    group: 'Search and requests',
    keys: [
      ['Enter', 'Run the query, open the event'],
      ['r', 'Run again'],
      ['d', 'Choose a time range'],
      ['j k', 'Next, previous event'],
      ['t', 'Open the request of the event'],
      ['y', 'Copy the address of this page'],
      ['← → Shift Enter', 'In the histogram: move, select, zoom'],
    ],
  },
  {
    group: 'Alerts',
    keys: [
      ['j k', 'Next, previous alert'],
      ['Enter', 'Open the alert'],
      ['a', 'Acknowledge, assign to me'],
      ['c', 'Close with a verdict'],
      ['n', 'Write a note'],
    ],
  },
];

type Handler = (event: KeyboardEvent) => boolean | undefined;

const handlers: Handler[] = [];
let pending = '';

/** Adds a page's keys; call what it returns when the page goes. The newest is asked first. */
export function onKeys(handler: Handler): () => void {
  handlers.unshift(handler);
  return () => {
    const at = handlers.indexOf(handler);
    if (at !== -1) handlers.splice(at, 1);
  };
}

function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** The first key of a sequence that has been pressed, `g` for example. */
export function prefix(): string {
  return pending;
}

export function handleKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector('dialog[open]')) return;
  if (typing(event.target)) {
    if (event.key === 'Escape' && event.target instanceof HTMLElement) event.target.blur();
    return;
  }
  const handled = handlers.some((handler) => handler(event) === true);
  pending = !handled && event.key === 'g' ? 'g' : '';
  if (handled) event.preventDefault();
}
