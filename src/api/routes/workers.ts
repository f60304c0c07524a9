/** The workers: who is there, and who is to drain. */
import { drainWorker, resumeWorker } from '../../operations/drain-worker.js';
import { isoText } from '../present/text.js';
import { workerToJson } from '../present/worker-view.js';
import * as schemas from '../schemas/cluster.js';
import type { ApiApp, ApiServices } from '../services.js';
import { answers, OPERATOR, VIEWER } from './answers.js';

const tags = ['workers'];

export function workerRoutes(app: ApiApp, services: ApiServices): void {
  const { context, reader } = services;

  app.get(
    '/workers',
    {
      config: VIEWER,
      schema: { tags, summary: 'The workers that live', response: answers(schemas.workerList) },
    },
    async () => {
      const { view } = await reader.live.use();
      const nowMs = context.clock.now();
      const workers = [...view.workers.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
      return {
        workers: workers.map((worker) => workerToJson(view, worker, nowMs)),
        drains: [...view.drains].map(([name, { value }]) => ({
          name,
          by: value.by,
          reason: value.reason,
          at: isoText(value.at),
        })),
      };
    },
  );

  app.post(
    '/workers/:name/drain',
    {
      config: OPERATOR,
      schema: {
        tags,
        summary: 'Let a worker take nothing more',
        description:
          'What it runs goes on. The request stands until somebody resumes the worker, also over its restarts.',
        params: schemas.workerParams,
        body: schemas.drainBody,
        response: answers(schemas.drained),
      },
    },
    async (request) => {
      const { name } = request.params;
      const { reason } = request.body;
      const { changed } = await drainWorker(
        services.operations(request.actor),
        name,
        reason === undefined ? {} : { reason },
      );
      return { name, draining: true, changed };
    },
  );

  app.post(
    '/workers/:name/resume',
    {
      config: OPERATOR,
      schema: {
        tags,
        summary: 'Let a worker take runs again',
        params: schemas.workerParams,
        response: answers(schemas.drained),
      },
    },
    async (request) => {
      const { name } = request.params;
      const { changed } = await resumeWorker(services.operations(request.actor), name);
      return { name, draining: false, changed };
    },
  );
}
