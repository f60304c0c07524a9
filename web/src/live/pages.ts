/**
 * A long list that the API gives page by page, each with the cursor of the next. Pages are asked for as they come into
 * view; those in view are asked for again when a change makes them old. Where a page then ends elsewhere, what followed it
 * is forgotten, and asked for when it is looked at.
 */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { query, request } from '../api/client.js';
import { asProblem, type ApiProblem } from '../api/problem.js';
import { noteHeard, noteUnreachable, onEvent, onRefresh, type LiveEvent } from './connection.js';

interface Page<T> {
  readonly cursor: string | null;
  readonly items: readonly T[];
  readonly next: string | null;
}

export interface Answer<T> {
  readonly items: readonly T[];
  readonly next: string | null;
  readonly total: number | null;
  readonly complete: boolean;
}

export interface PagedOptions<T> {
  /** Below `/api/v1/`, without a query. */
  readonly path: string;
  readonly values: Readonly<Record<string, string | number | undefined | null>>;
  readonly pageSize: number;
  readonly read: (body: unknown) => Answer<T>;
  readonly isAffected: (event: LiveEvent) => boolean;
  /** Asked for again only while the list is at its beginning: it grows there. */
  readonly growsAtTop?: boolean;
}

const EVERY_MS = 2_000;

export class PagedList<T> {
  readonly #options: PagedOptions<T>;
  readonly #onChange: () => void;
  #pages: Page<T>[] = [];
  #visible = { first: 0, end: 1 };
  #asking: AbortController | null = null;
  #old = false;
  #timer: number | undefined;
  #stops: (() => void)[] = [];
  total: number | null = null;
  complete = true;
  problem: ApiProblem | null = null;

  constructor(options: PagedOptions<T>, onChange: () => void) {
    this.#options = options;
    this.#onChange = onChange;
  }

  start(): () => void {
    this.#stops = [
      onEvent((event) => {
        if (this.#options.isAffected(event)) this.invalidate();
      }),
      onRefresh(() => this.invalidate()),
    ];
    void this.#fill();
    return () => {
      for (const stop of this.#stops) stop();
      window.clearTimeout(this.#timer);
      this.#asking?.abort();
    };
  }

  /** Null: not known yet. */
  item(index: number): T | null {
    let offset = 0;
    for (const { items } of this.#pages) {
      if (index < offset + items.length) return items[index - offset] ?? null;
      offset += items.length;
    }
    return null;
  }

  get loaded(): number {
    return this.#pages.reduce((sum, page) => sum + page.items.length, 0);
  }

  get isFirstLoad(): boolean {
    return this.#pages.length === 0 && this.problem === null;
  }

  /** All rows there are as far as is known; one more stands for those to come. */
  get count(): number {
    const more = (this.#pages.at(-1)?.next ?? null) !== null;
    return Math.max(this.total ?? 0, this.loaded + (more ? 1 : 0));
  }

  show(first: number, end: number): void {
    this.#visible = { first, end };
    void this.#fill();
  }

  invalidate(): void {
    this.#old = true;
    if (this.#timer !== undefined) return;
    this.#timer = window.setTimeout(() => {
      this.#timer = undefined;
      void this.#fill();
    }, EVERY_MS);
  }

  async retry(): Promise<void> {
    this.problem = null;
    this.#old = this.#pages.length > 0;
    await this.#fill();
  }

  /** One request at a time until what is visible is there, and is new. */
  async #fill(): Promise<void> {
    if (this.#asking) return;
    const asking = new AbortController();
    this.#asking = asking;
    try {
      if (this.#old && this.#timer === undefined) await this.#renew(asking.signal);
      while (this.#needsMore()) {
        await this.#load(this.#pages.length, asking.signal);
        this.#onChange();
      }
    } catch (error) {
      if (asking.signal.aborted) return;
      this.problem = asProblem(error);
      if (this.problem.isUnreachable) noteUnreachable();
      this.#onChange();
    } finally {
      this.#asking = null;
    }
    if (this.problem === null && this.#needsMore()) void this.#fill();
  }

  #needsMore(): boolean {
    if (this.#pages.length === 0) return true;
    return this.#pages.at(-1)!.next !== null && this.#visible.end > this.loaded;
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { first, end } = this.#visible;
    this.#old = false;
    if (this.#options.growsAtTop && first > 0) return;
    let offset = 0;
    for (let index = 0; index < this.#pages.length && offset < end; index += 1) {
      const pageEnd = offset + this.#pages[index]!.items.length;
      if (pageEnd > first) await this.#load(index, signal);
      offset = pageEnd;
    }
    this.#onChange();
  }

  async #load(index: number, signal: AbortSignal): Promise<void> {
    const { path, values, pageSize, read } = this.#options;
    const cursor = index === 0 ? null : (this.#pages[index - 1]?.next ?? null);
    const body = await request<unknown>(path + query({ ...values, limit: pageSize, cursor }), { signal });
    noteHeard();
    const answer = read(body);
    const before = this.#pages[index];
    this.#pages[index] = { cursor, items: answer.items, next: answer.next };
    if (before && before.next !== answer.next) this.#pages.length = index + 1;
    this.total = answer.total;
    this.complete = answer.complete;
    this.problem = null;
  }
}

/** Begins anew whenever `values` change. */
export function usePagedList<T>(options: PagedOptions<T>): PagedList<T> {
  const [, redraw] = useState(0);
  const key = options.path + query(options.values);
  const list = useMemo(() => new PagedList(options, () => redraw((count) => count + 1)), [key]);
  useEffect(() => list.start(), [list]);
  return list;
}
