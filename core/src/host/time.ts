/** ISO-8601 in UTC with milliseconds, e.g. `2026-01-31T10:06:50.000Z`, from ms since the epoch. */
export function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** HTTP date, e.g. `Thu, 01 Jan 1970 00:00:00 GMT`, from ms since the epoch. */
export function httpDate(epochMs: number): string {
  return new Date(epochMs).toUTCString();
}

/** Milliseconds since the epoch of an ISO-8601 text; undefined when it is none. */
export function parseIsoTime(text: string): number | undefined {
  const epochMs = Date.parse(text);
  return Number.isNaN(epochMs) ? undefined : epochMs;
}
