/**
 * What the API said last about one path, kept for as long as somebody shows it and a while longer, and asked for again
 * when a change makes it old: at once for the first, and not more often than `everyMs` after that.
 */
import { signal, type ReadonlySignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { request } from '../api/client.js';
import { asProblem, type ApiProblem } from '../api/problem.js';
import { noteHeard, noteUnreachable, onEvent, onRefresh, type LiveEvent } from './connection.js';

export interface ResourceState<T> {
  /** The last good answer, also while a newer one fails. */
  readonly data: T | null;
  readonly problem: ApiProblem | null;
  readonly isLoading: boolean;
}

export interface ResourceOptions {
  /** Which changes make it old. */
  isAffected?: (event: LiveEvent) => boolean;
  everyMs?: number;
  /** Asked for again after this time without any change: it is about time itself. */
  refreshMs?: number;
}

const DEFAULT_EVERY_MS = 1_000;
const KEPT = 40;
const EMPTY: ResourceState<never> = { data: null, problem: null, isLoading: true };

class Resource<T> {
  readonly state = signal<ResourceState<T>>(EMPTY);
  readonly url: string;
  readonly #options: ResourceOptions;
  #users = 0;
  #asking: AbortController | null = null;
  #old = true;
  #timer: number | undefined;
  #timerMs = 0;
  #askedMs = -Infinity;
  #stops: (() => void)[] = [];

  constructor(url: string, options: ResourceOptions) {
    this.url = url;
    this.#options = options;
  }

  use(): () => void {
    this.#users += 1;
    if (this.#users === 1) {
      this.#stops = [
        onEvent((event) => {
          if (this.#options.isAffected?.(event)) this.invalidate();
        }),
        onRefresh(() => this.invalidate()),
      ];
      if (this.#askedMs > -Infinity) this.#old = true;
      this.#schedule(0);
    }
    return () => {
      this.#users -= 1;
      if (this.#users > 0) return;
      window.clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#asking?.abort();
      this.#asking = null;
      for (const stop of this.#stops) stop();
    };
  }

  invalidate(): void {
    this.#old = true;
    if (this.#asking) return;
    const { everyMs = DEFAULT_EVERY_MS } = this.#options;
    this.#schedule(Math.max(0, this.#askedMs + everyMs - performance.now()));
  }

  /** Now, whatever was asked when. */
  async reload(): Promise<void> {
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#ask();
  }

  /** The sooner of this and what was to come already. */
  #schedule(delayMs: number): void {
    const atMs = performance.now() + delayMs;
    if (this.#users === 0 || (this.#timer !== undefined && this.#timerMs <= atMs)) return;
    window.clearTimeout(this.#timer);
    this.#timerMs = atMs;
    this.#timer = window.setTimeout(() => {
      this.#timer = undefined;
      void this.#ask();
    }, delayMs);
  }

  async #ask(): Promise<void> {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.#old = false;
    this.#askedMs = performance.now();
    const before = this.state.peek();
    if (!before.isLoading) this.state.value = { ...before, isLoading: true };
    try {
      const data = await request<T>(this.url, { signal: asking.signal });
      if (asking.signal.aborted) return;
      noteHeard();
      this.state.value = { data, problem: null, isLoading: false };
    } catch (error) {
      if (asking.signal.aborted) return;
      const problem = asProblem(error);
      if (problem.isUnreachable) noteUnreachable();
      else noteHeard();
      this.state.value = { data: this.state.peek().data, problem, isLoading: false };
    }
    this.#asking = null;
    if (this.#users === 0) return;
    if (this.#old) this.invalidate();
    else if (this.#options.refreshMs !== undefined) this.#schedule(this.#options.refreshMs);
  }
}

const resources = new Map<string, Resource<unknown>>();

function resourceFor<T>(url: string, options: ResourceOptions): Resource<T> {
  const found = (resources.get(url) as Resource<T> | undefined) ?? new Resource<T>(url, options);
  resources.delete(url);
  resources.set(url, found);
  for (const old of resources.keys()) {
    if (resources.size <= KEPT) break;
    resources.delete(old);
  }
  return found;
}

/** Forgets everything, for another viewer. */
export function forgetResources(): void {
  resources.clear();
}

const NOTHING = signal<ResourceState<never>>({ data: null, problem: null, isLoading: false });

/** The state of a path below `/api/v1/`, as long as the component is there; null asks for nothing. */
export function useResource<T>(
  url: string | null,
  options: ResourceOptions = {},
): ResourceState<T> & { reload: () => Promise<void> } {
  // The options of a path are those of its first use: they follow from what it is.
  const resource = useMemo(() => (url === null ? null : resourceFor<T>(url, options)), [url]);
  useEffect(() => resource?.use(), [resource]);
  const state: ReadonlySignal<ResourceState<T>> = resource?.state ?? NOTHING;
  return { ...state.value, reload: () => resource?.reload() ?? Promise.resolve() };
}

/** Changes of any of these topics. */
export function topics(...wanted: readonly LiveEvent['topic'][]): (event: LiveEvent) => boolean {
  return ({ topic }) => wanted.includes(topic);
}
