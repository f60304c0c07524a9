/**
 * The store of a cluster for programs that cannot reach etcd, such as `etcron --server`: ranges, transactions and watches below
 * the prefix, each checked by who asks (`store-policy.ts`) and bounded. It is etcron's own protocol between its command line
 * and its servers, and no part of the documented API.
 */
import { EtcronError } from '../../errors.js';
import { StoreError } from '../../etcd/store-error.js';
import type { RangeOptions, RangeResult, Txn } from '../../etcd/store.js';
import { packageVersion } from '../../version.js';
import type { ApiApp, ApiServices } from '../services.js';
import { assertPermitted, assertReadable } from './store-policy.js';
import { StoreStreams } from './store-streams.js';
import { tellable } from './told-store-error.js';
import * as wire from './wire.js';

/** Keys in one answer. Whoever asks for more, or for all of more, is told to ask for less. */
const MAX_KEYS = 20_000;
const MAX_ANSWER_BYTES = 8 * 2 ** 20;
const BODY_LIMIT_BYTES = 4 * 2 ** 20;
/** Transactions are judged one by one; ranges and watches need no more than a viewer. */
const config = { role: 'viewer' } as const;

/** Who may do what. */
export interface StorePolicy {
  readonly assertReadable: typeof assertReadable;
  readonly assertPermitted: typeof assertPermitted;
}

export function storeRoutes(
  app: ApiApp,
  services: Pick<ApiServices, 'context' | 'operations'>,
  policy: StorePolicy = { assertReadable, assertPermitted },
): void {
  const { context } = services;
  const { store, keys, clock, log } = context;
  const streams = new StoreStreams(clock, log);
  app.addHook('preClose', () => streams.close());

  app.get('/store', { config, schema: { hide: true } }, (request): wire.StoreInfo => {
    const { name, role } = request.actor;
    return { prefix: keys.prefix, version: packageVersion(), actor: { name, role } };
  });

  app.get('/store/status', { config, schema: { hide: true } }, () => told(() => store.status()));

  app.post(
    '/store/range',
    { config, schema: { hide: true, body: wire.rangeBody } },
    async ({ actor, body }) => {
      const { start, end, ...options } = body;
      policy.assertReadable({ keys, actor }, { start, end });
      const limit = Math.min(options.limit ?? MAX_KEYS, MAX_KEYS);
      const asked = { ...options, limit } as RangeOptions;
      const result = await told(() => store.range({ start, end }, asked));
      assertBounded(result, options.limit === undefined && options.countOnly !== true);
      return wire.rangeToWire(result);
    },
  );

  app.post(
    '/store/txn',
    { config, bodyLimit: BODY_LIMIT_BYTES, schema: { hide: true, body: wire.txnBody } },
    async ({ actor, body }) => {
      const txn = body as Txn;
      await told(() => policy.assertPermitted({ store, keys, actor }, txn));
      const result = await told(() => services.operations(actor).store.txn(txn));
      return wire.resultToWire(result);
    },
  );

  app.post('/store/watch', { config, schema: { hide: true, body: wire.watchBody } }, (request, reply) => {
    const { start, end, fromRevision } = request.body;
    policy.assertReadable({ keys, actor: request.actor }, { start, end });
    const stream = streams.open((listener) => store.watch({ start, end }, fromRevision, listener));
    return reply.type('application/x-ndjson').send(stream);
  });
}

/** With what a `Store` says beside the message. */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof StoreError ? tellable(error) : error;
  }
}

function assertBounded({ kvs, more }: RangeResult, wantsAll: boolean): void {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  if (bytes <= MAX_ANSWER_BYTES && !(more && wantsAll)) return;
  throw new EtcronError('ETCRON_ETCD_REFUSED', 'the answer would be too large: ask for it in smaller pages', {
    details: { tooLarge: true, store: { maybeApplied: false, transient: false } },
  });
}
