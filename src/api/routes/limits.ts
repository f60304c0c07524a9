/** Limits that jobs share: who runs under them, and how large they are. */
import { deleteLimit, setLimit } from '../../operations/change-limit.js';
import { limitUsage } from '../../operations/limit-usage.js';
import * as schemas from '../schemas/cluster.js';
import type { ApiApp, ApiServices } from '../services.js';
import { ADMIN, answers, VIEWER } from './answers.js';

const tags = ['limits'];
const SHOWN = 50;

export function limitRoutes(app: ApiApp, services: ApiServices): void {
  const { context, reader } = services;

  app.get(
    '/limits',
    {
      config: VIEWER,
      schema: { tags, summary: 'The limits that jobs share', response: answers(schemas.limitList) },
    },
    async () => {
      const { view } = await reader.live.use();
      const snapshot = {
        revision: view.revision,
        jobs: view.jobs,
        firings: [...view.firings.values()],
        workers: [...view.workers.values()],
        limits: view.limits,
        drains: new Map(),
        leader: null,
        cursor: null,
      };
      const limits = limitUsage(snapshot, context.clock.now());
      return {
        limits: limits.map((limit) => ({
          ...limit,
          held: [...limit.held],
          waitingRuns: limit.waitingRuns.slice(0, SHOWN),
          jobs: [...limit.jobs],
        })),
      };
    },
  );

  app.put(
    '/limits/:name',
    {
      config: ADMIN,
      schema: {
        tags,
        summary: 'Give a limit its size',
        params: schemas.limitParams,
        body: schemas.limitBody,
        response: answers(schemas.limitSaved),
      },
    },
    async (request) => {
      const { name } = request.params;
      const { size } = request.body;
      const before = await setLimit(services.operations(request.actor), name, size);
      return { name, size, before };
    },
  );

  app.delete(
    '/limits/:name',
    {
      config: ADMIN,
      schema: {
        tags,
        summary: 'Take a limit away that no job names',
        params: schemas.limitParams,
        response: answers(schemas.limitSaved),
      },
    },
    async (request) => {
      const { name } = request.params;
      await deleteLimit(services.operations(request.actor), name);
      return { name, size: null, before: null };
    },
  );
}
