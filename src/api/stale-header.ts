/**
 * Says of each answer to a GET since when it may be old: while etcd is out of reach, answers come from what was known last, and
 * nobody should take them for what is. A node that knows nothing yet answers 503 instead.
 */
import type { ClusterReader } from './reader/cluster-reader.js';
import { isoText } from './present/text.js';
import type { ApiApp } from './services.js';

/** An ISO time; absent while the answer is current. */
export const STALE_HEADER = 'etcron-stale-since';

export function noteStale(app: ApiApp, reader: ClusterReader): void {
  app.addHook('onSend', (request, reply, _payload, done) => {
    const { staleSinceMs } = reader;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (isRead && staleSinceMs !== null && reply.statusCode < 400)
      void reply.header(STALE_HEADER, isoText(staleSinceMs));
    done();
  });
}

/** In the OpenAPI document. */
export const STALE_HEADER_OBJECT = {
  description:
    'Only while etcd is out of reach: what is told may be old, and this is since when. Nothing is known of what happened after it.',
  schema: { type: 'string', format: 'date-time' },
} as const;
