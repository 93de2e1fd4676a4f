/** Addresses of this application. Pure. */

export type Values = Record<string, string | number | null | undefined>;

export function address(path: string, values: Values = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, String(value));
  }
  // readable addresses: these characters are safe in a query
  const text = search.toString().replace(/%3A/g, ':').replace(/%2F/g, '/').replace(/%40/g, '@');
  return text ? `${path}?${text}` : path;
}
