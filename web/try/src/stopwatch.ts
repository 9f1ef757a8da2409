/** How long messages take from one user of this page to another one: both ends have the same clock. */

const RUNNING_MAX = 500;
const startedAt = new Map<string, number>();

/** A message goes out. */
export function start(id: string): void {
  startedAt.set(id, performance.now());
  if (startedAt.size > RUNNING_MAX) startedAt.delete(startedAt.keys().next().value!);
}

/** Milliseconds since then; undefined for a message that was not sent by this page. */
export function elapsed(id: string): number | undefined {
  const at = startedAt.get(id);
  return at === undefined ? undefined : performance.now() - at;
}

/** The same, once: whatever comes later belongs to another message. */
export function take(id: string): number | undefined {
  const took = elapsed(id);
  startedAt.delete(id);
  return took;
}

/** Whether this page has sent it. */
export const isOurs = (id: string) => startedAt.has(id);

/** `0.8 ms`, `12 ms`, `1.2 s`. */
export function inWords(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
