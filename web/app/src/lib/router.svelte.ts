/** Addresses. All that a page shows is in its address, so that it can be sent to somebody. */

import { address, type Values } from './address';

export { address };

interface Here {
  path: string;
  search: string;
}

let here: Here = $state({ path: location.pathname, search: location.search });

function read(): void {
  here = { path: location.pathname, search: location.search };
}

window.addEventListener('popstate', read);

export const route = {
  get path(): string {
    return here.path;
  },
  /** The first part of the path: the page. */
  get page(): string {
    return here.path.split('/')[1] ?? '';
  },
  /** The second part of the path, decoded. */
  get id(): string {
    const text = here.path.split('/').slice(2).join('/');
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  },
  param(name: string): string {
    return new URLSearchParams(here.search).get(name) ?? '';
  },
};

/** Opens an address of this application. */
export function go(target: string, options: { replace?: boolean } = {}): void {
  if (target === location.pathname + location.search) return;
  if (options.replace) history.replaceState(null, '', target);
  else history.pushState(null, '', target);
  read();
}

/** Changes some parameters of the current address and keeps the others. */
export function set(values: Values, options: { replace?: boolean } = {}): void {
  const all: Values = Object.fromEntries(new URLSearchParams(location.search));
  go(address(location.pathname, { ...all, ...values }), options);
}

/** Follows links inside the application without loading the page again. */
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.target || link.hasAttribute('download')) return;
  if (link.origin !== location.origin || link.pathname.startsWith('/api')) return;
  event.preventDefault();
  go(link.pathname + link.search);
}
