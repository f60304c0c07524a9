/** Addresses within the page. */
import { path, query } from '../api/client.js';

export function jobHref(name: string): string {
  return `/${path('jobs', name)}`;
}

/** By the id of the run, `<job>/<due>[+suffix]`. */
export function runHref(run: string): string {
  const slash = run.indexOf('/');
  return `/${path('runs', run.slice(0, slash), run.slice(slash + 1))}`;
}

export function runsHref(values: Readonly<Record<string, string | undefined>>): string {
  return `/runs${query(values)}`;
}

export function jobsHref(values: Readonly<Record<string, string | undefined>>): string {
  return `/jobs${query(values)}`;
}
