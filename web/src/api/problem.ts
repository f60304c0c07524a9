import type { ProblemDocument } from './types.js';

/** An answer that is no success, or none at all: then `status` is 0. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly hint: string | null;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(document: {
    status: number;
    code: string;
    title: string;
    detail: string;
    hint?: string | null | undefined;
    details?: Record<string, unknown> | undefined;
  }) {
    super(document.detail);
    this.name = 'ApiProblem';
    this.status = document.status;
    this.code = document.code;
    this.title = document.title;
    this.hint = document.hint ?? null;
    this.details = document.details ?? {};
  }

  /** Nobody answered: the connection is gone, not the request wrong. */
  get isUnreachable(): boolean {
    return this.status === 0;
  }
}

export function unreachable(): ApiProblem {
  return new ApiProblem({
    status: 0,
    code: 'UNREACHABLE',
    title: 'no answer',
    detail: 'The worker that serves this page does not answer.',
    hint: 'The page goes on trying. Any other worker serves the same page.',
  });
}

/** The problem document of an answer, or one made up for an answer that has none, such as a proxy's. */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const type = response.headers.get('content-type') ?? '';
  if (/\bjson\b/.test(type)) {
    const body = (await response.json().catch(() => null)) as Partial<ProblemDocument> | null;
    if (typeof body?.detail === 'string') {
      return new ApiProblem({
        status: response.status,
        code: body.code ?? `HTTP_${response.status}`,
        title: body.title ?? response.statusText,
        detail: body.detail,
        hint: body.hint,
        details: body.details,
      });
    }
  }
  return new ApiProblem({
    status: response.status,
    code: `HTTP_${response.status}`,
    title: response.statusText || 'no success',
    detail: `The server answered ${response.status} ${response.statusText}`.trim(),
  });
}

export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiProblem({ status: -1, code: 'PAGE', title: 'a defect of this page', detail });
}
