/** Runs: those planned, under way and over. */
import { formatRunId } from '../../etcd/keys.js';
import { requestKill } from '../../operations/kill-run.js';
import { rerunRun } from '../../operations/rerun-run.js';
import { listRunsPage } from '../present/run-list.js';
import { readRunDetails } from '../present/run-details.js';
import { runIdOf } from '../../operations/find-run.js';
import { isoText } from '../present/text.js';
import * as schemas from '../schemas/runs.js';
import type { ApiApp, ApiServices } from '../services.js';
import { answers, answersNew, OPERATOR, VIEWER } from './answers.js';

const tags = ['runs'];

export function runRoutes(app: ApiApp, services: ApiServices): void {
  const { context, reader } = services;

  app.get(
    '/runs',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'Runs, the newest first',
        querystring: schemas.listRunsQuery,
        response: answers(schemas.runList),
      },
    },
    (request) => listRunsPage(context, reader, request.query),
  );

  app.get(
    '/runs/:job/:due',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'One run, with the tail of its output',
        params: schemas.runParams,
        response: answers(schemas.runDetails),
      },
    },
    (request) => readRunDetails(context, reader, idOf(request.params)),
  );

  app.post(
    '/runs/:job/:due/kill',
    {
      config: OPERATOR,
      schema: {
        tags,
        summary: 'Ask for the end of a run',
        description:
          'The request is durable. Whoever has the run ends its processes, and records it as `killed`.',
        params: schemas.runParams,
        body: schemas.killBody,
        response: answers(schemas.killed),
      },
    },
    async (request) => {
      const id = idOf(request.params);
      await requestKill(services.operations(request.actor), id, request.body.reason);
      return { run: formatRunId(id), requested: true as const };
    },
  );

  app.post(
    '/runs/:job/:due/rerun',
    {
      config: OPERATOR,
      schema: {
        tags,
        summary: 'Run it once more, as the job is now',
        params: schemas.runParams,
        response: answersNew(schemas.requestedRun),
      },
    },
    async (request, reply) => {
      const id = await rerunRun(services.operations(request.actor), idOf(request.params));
      return reply.code(201).send({ run: formatRunId(id), job: id.job, due: isoText(id.dueMs) });
    },
  );
}

/** Throws ETCRON_USAGE for what is no run. */
function idOf({ job, due }: { readonly job: string; readonly due: string }) {
  return runIdOf(`${job}/${due}`);
}
