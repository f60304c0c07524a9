/** The cluster as a whole: its health, its numbers over time, its station board, and who leads it. */
import { EtcronError } from '../../errors.js';
import { handOver } from '../../operations/hand-over.js';
import { clusterStatus } from '../present/cluster-status.js';
import { statsOf } from '../present/stats.js';
import { timelineOf } from '../present/timeline.js';
import * as schemas from '../schemas/cluster.js';
import type { ApiApp, ApiServices } from '../services.js';
import { answers, OPERATOR, VIEWER } from './answers.js';

const HOUR_MS = 3_600_000;
const tags = ['cluster'];

export function clusterRoutes(app: ApiApp, services: ApiServices): void {
  const { context, reader } = services;
  const { clock, worker } = context;

  app.get(
    '/cluster',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'Whether the cluster is well, and what is not',
        response: answers(schemas.cluster),
      },
    },
    async () => {
      const [live, feed, etcd] = await Promise.all([
        reader.live.use(),
        reader.feed.use(),
        reader.etcdStatus(),
      ]);
      await live.jobs.ready();
      return clusterStatus({ live, feed, etcd, nowMs: clock.now(), nodeId: worker?.nodeId ?? null });
    },
  );

  app.post(
    '/cluster/hand-over',
    {
      config: OPERATOR,
      schema: {
        tags,
        summary: 'Ask the leader to hand its office over',
        body: schemas.handOverBody,
        response: answers(schemas.handedOver),
      },
    },
    async (request) => {
      const { to } = request.body;
      const { leader } = await handOver(services.operations(request.actor), to === undefined ? {} : { to });
      return { requested: true as const, leader: leader.name };
    },
  );

  app.get(
    '/cluster/stats',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'Outcomes and lateness by stretches of time',
        querystring: schemas.statsQuery,
        response: answers(schemas.stats),
      },
    },
    async (request) => {
      const { buckets, job } = request.query;
      const toMs = request.query.to ?? clock.now();
      const fromMs = request.query.from ?? toMs - HOUR_MS;
      assertOrder(fromMs, toMs);
      return statsOf(await reader.feed.use(), { fromMs, toMs, buckets, job });
    },
  );

  app.get(
    '/cluster/timeline',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'What came in, what runs, and what comes next',
        querystring: schemas.timelineQuery,
        response: answers(schemas.timeline),
      },
    },
    async (request) => {
      const { buckets, limit } = request.query;
      const nowMs = clock.now();
      const fromMs = request.query.from ?? nowMs - HOUR_MS;
      const toMs = request.query.to ?? nowMs + HOUR_MS;
      assertOrder(fromMs, toMs);
      const [live, feed] = await Promise.all([reader.live.use(), reader.feed.use()]);
      await live.jobs.ready();
      return timelineOf(live, feed, { fromMs, toMs, buckets, limit, nowMs });
    },
  );
}

function assertOrder(fromMs: number, toMs: number): void {
  if (fromMs < toMs) return;
  throw new EtcronError('ETCRON_REQUEST_INVALID', 'query from: must be before `to`');
}
