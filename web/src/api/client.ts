/** Requests to the API of the worker that served the page. The browser's cookie says who asks. */
import { noteServerDate } from '../live/now.js';
import { problemOf, unreachable, type ApiProblem } from './problem.js';

const BASE = '/api/v1/';
const TIMEOUT_MS = 20_000;

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Sent as JSON, or as it is when it is text. */
  body?: unknown;
  contentType?: string;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

const listeners = new Set<(problem: ApiProblem) => void>();

/** Called with each answer 401. Returns the function that ends it. */
export function onUnauthorized(listener: (problem: ApiProblem) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const readListeners = new Set<(headers: Headers) => void>();

/** Called with the headers of each good answer to a GET. */
export function onRead(listener: (headers: Headers) => void): void {
  readListeners.add(listener);
}

/** A path below `/api/v1/`; names are put into it by `path`. Rejects with an `ApiProblem`. */
export async function request<T>(url: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(url, options);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** The answer itself, for what is no JSON. Rejects with an `ApiProblem`. */
export async function send(url: string, options: RequestOptions = {}): Promise<Response> {
  const { method = 'GET', body, contentType = 'application/json', headers = {}, signal } = options;
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(BASE + url, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: {
        accept: 'application/json, application/problem+json',
        ...(method === 'GET' ? {} : { 'x-etcron-csrf': '1' }),
        ...(body === undefined ? {} : { 'content-type': contentType }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
  noteServerDate(response.headers.get('date'));
  if (response.ok) {
    if (method === 'GET') for (const listener of readListeners) listener(response.headers);
    return response;
  }
  const problem = await problemOf(response);
  if (response.status === 401) for (const listener of listeners) listener(problem);
  throw problem;
}

/** `path('jobs', name, 'pause')`: each part is encoded, but for what may stand in a path and is easier to read. */
export function path(...parts: readonly string[]): string {
  return parts
    .map((part) => encodeURIComponent(part).replaceAll('%3A', ':').replaceAll('%2B', '+'))
    .join('/');
}

/** `?a=1&b=2` of what is not undefined, null or empty. */
export function query(values: Readonly<Record<string, string | number | undefined | null>>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    if (value !== undefined && value !== null && value !== '') params.set(name, String(value));
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

/** The path of a run by its id, `<job>/<due>[+suffix]`. */
export function runPath(run: string, ...more: readonly string[]): string {
  const slash = run.indexOf('/');
  return path('runs', run.slice(0, slash), run.slice(slash + 1), ...more);
}
