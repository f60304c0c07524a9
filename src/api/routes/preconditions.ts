import { EtcronError } from '../../errors.js';

/** A revision of etcd as an entity tag (RFC 9110, 8.8.3). */
export function etagOf(revision: number): string {
  return `"${revision}"`;
}

/** What `If-Match` and `If-None-Match` ask for. Throws ETCRON_REQUEST_INVALID for what cannot be meant. */
export function preconditions(headers: {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}): { readonly revision?: number } {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (noneMatch !== undefined) {
    if (noneMatch.trim() !== '*' || match !== undefined)
      throw invalid('if-none-match', 'must be *, and stand without If-Match: there must be no such job yet');
    return { revision: 0 };
  }
  if (match === undefined) return {};
  const [, revision] = /^"?(\d{1,15})"?$/.exec(match.trim()) ?? [];
  if (revision === undefined) throw invalid('if-match', 'must be the ETag of the job, such as "42"');
  return { revision: Number(revision) };
}

function invalid(header: string, problem: string): EtcronError {
  return new EtcronError('ETCRON_REQUEST_INVALID', `header ${header}: ${problem}`);
}
