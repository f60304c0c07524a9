/** Jobs: listed, read, put, deleted, paused, resumed, run. */
import { formatRunId } from '../../etcd/keys.js';
import { EtcronError } from '../../errors.js';
import { parseJobValue, pauseAt, scheduleOf, scheduleOptionsOf } from '../../jobs/index.js';
import { deleteJob } from '../../operations/delete-job.js';
import { findJob } from '../../operations/find-job.js';
import { findRunnable, runJobNow } from '../../operations/run-job.js';
import { clusterWarnings, jobWarnings } from '../../operations/job-warnings.js';
import { pauseJob, resumeJob } from '../../operations/pause-job.js';
import { putJob } from '../../operations/put-job.js';
import { assertTimeZone, describeBounds, preview } from '../../schedule/index.js';
import { readJobDetails } from '../present/job-details.js';
import { historyOf } from '../present/job-history.js';
import { listJobsPage } from '../present/job-list.js';
import { scheduleWords } from '../present/job-view.js';
import { dueToJson, isoText, pauseToJson } from '../present/text.js';
import { StatusError } from '../problem.js';
import * as schemas from '../schemas/jobs.js';
import { requestedRun } from '../schemas/runs.js';
import type { ApiApp, ApiServices } from '../services.js';
import { ADMIN, answers, answersNew, OPERATOR, VIEWER } from './answers.js';
import { etagOf, preconditions } from './preconditions.js';

const tags = ['jobs'];
/** As JSON with blanks it may be longer than as it is kept. */
const MAX_TEXT_BYTES = 512 * 1024;
const TEXT_TYPES = ['application/json', 'application/yaml', 'application/x-yaml', 'text/yaml', 'text/plain'];

export function jobRoutes(app: ApiApp, services: ApiServices): void {
  readingRoutes(app, services);
  changingRoutes(app, services);
  // The text as it was written: only then problems have lines, and YAML is as good as JSON.
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      TEXT_TYPES,
      { parseAs: 'string', bodyLimit: MAX_TEXT_BYTES },
      (_request, body, parsed) => parsed(null, body),
    );
    puttingRoute(scope.withTypeProvider(), services);
    done();
  });
}

function readingRoutes(app: ApiApp, { context, reader }: ApiServices): void {
  const { clock, store, keys } = context;

  app.get(
    '/jobs',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'The jobs, searched and sorted',
        querystring: schemas.listJobsQuery,
        response: answers(schemas.jobList),
      },
    },
    async (request) => {
      const [live, feed] = await Promise.all([reader.live.use(), reader.feed.use()]);
      await live.jobs.ready();
      return listJobsPage(live, feed, request.query, clock.now());
    },
  );

  app.get(
    '/jobs/:name',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'One job: its definition, and what is next, under way and past',
        description: 'The `ETag` is the revision of the definition.',
        params: schemas.jobParams,
        response: answers(schemas.jobDetails),
      },
    },
    async (request, reply) => {
      const details = await readJobDetails(context, reader, request.params.name);
      return reply.header('etag', etagOf(details.revision)).send(details);
    },
  );

  app.get(
    '/jobs/:name/next',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'Its next due times, with what changes of clocks do to them',
        params: schemas.jobParams,
        querystring: schemas.nextQuery,
        response: answers(schemas.nextDueTimes),
      },
    },
    async (request) => {
      const { name } = request.params;
      const entry = await findRunnable(readContext(context), name);
      const job = entry.job!;
      const nowMs = clock.now();
      const fromMs = request.query.from ?? nowMs;
      const schedule = typeof job.schedule === 'string' ? [job.schedule] : [...job.schedule];
      const dueTimes = entry.isDone ? [] : preview(scheduleOf(job), fromMs, request.query.count);
      return {
        ...{ name, schedule, timezone: job.timezone },
        when: scheduleWords(name, schedule),
        bounds: describeBounds(scheduleOptionsOf(job)),
        pause: pauseToJson(pauseAt(job, nowMs)),
        from: isoText(fromMs),
        dueTimes: dueTimes.map(dueToJson),
      };
    },
  );

  app.get(
    '/jobs/:name/history',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'How its runs of each day ended',
        params: schemas.jobParams,
        querystring: schemas.historyQuery,
        response: answers(schemas.jobHistory),
      },
    },
    async (request) => {
      const { name } = request.params;
      const { days, timezone } = request.query;
      if (timezone !== undefined) assertTimeZone(timezone);
      const [feed, entry] = await Promise.all([reader.feed.use(), findJob({ store, keys }, name)]);
      return historyOf(feed, name, {
        timezone: timezone ?? entry.job?.timezone ?? 'UTC',
        days,
        nowMs: clock.now(),
      });
    },
  );
}

function changingRoutes(app: ApiApp, services: ApiServices): void {
  app.delete(
    '/jobs/:name',
    {
      config: ADMIN,
      schema: {
        tags,
        summary: 'Delete a job',
        description: 'What runs goes on to its end; what is planned does not begin.',
        params: schemas.jobParams,
        headers: schemas.preconditionHeaders,
        response: answers(schemas.deletedJob),
      },
    },
    async (request) => {
      const { name } = request.params;
      const expected = preconditions(request.headers);
      await told(expected, deleteJob(services.operations(request.actor), name, expected));
      return { deleted: name };
    },
  );

  app.post(
    '/jobs/:name/pause',
    {
      config: OPERATOR,
      schema: {
        tags,
        summary: 'Pause a job, with a reason and an end if you like',
        params: schemas.jobParams,
        body: schemas.pauseBody,
        response: answers(schemas.pausedJob),
      },
    },
    async (request) => {
      const { name } = request.params;
      const { reason, until } = request.body;
      const { changed } = await pauseJob(services.operations(request.actor), name, {
        ...(reason === undefined ? {} : { reason }),
        ...(until === undefined ? {} : { until }),
      });
      return { name, paused: true, changed };
    },
  );

  app.post(
    '/jobs/:name/resume',
    {
      config: OPERATOR,
      schema: {
        tags,
        summary: 'Resume a paused job',
        params: schemas.jobParams,
        response: answers(schemas.pausedJob),
      },
    },
    async (request) => {
      const { name } = request.params;
      const { changed } = await resumeJob(services.operations(request.actor), name);
      return { name, paused: false, changed };
    },
  );

  app.post(
    '/jobs/:name/runs',
    {
      config: OPERATOR,
      schema: {
        tags,
        summary: 'Run it now, whatever its schedule says',
        params: schemas.jobParams,
        response: answersNew(requestedRun),
      },
    },
    async (request, reply) => {
      const id = await runJobNow(services.operations(request.actor), request.params.name);
      return reply.code(201).send({ run: formatRunId(id), job: id.job, due: isoText(id.dueMs) });
    },
  );
}

function puttingRoute(app: ApiApp, services: ApiServices): void {
  const { store, keys, clock } = services.context;
  app.put(
    '/jobs/:name',
    {
      config: ADMIN,
      schema: {
        tags,
        summary: 'Put the definition of a job, in JSON or YAML',
        description:
          'With `If-Match: "<revision>"` only where the definition is still the one of that revision, with `If-None-Match: *` only where ' +
          'there is none; 412 otherwise.',
        consumes: ['application/json', 'application/yaml'],
        params: schemas.jobParams,
        headers: schemas.preconditionHeaders,
        body: schemas.definitionText,
        response: answersNew(schemas.savedJob),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const expected = preconditions(request.headers);
      const { change, revision } = await told(
        expected,
        putJob(services.operations(request.actor), name, request.body, expected),
      );
      const parsed = parseJobValue(name, request.body);
      const jobs = parsed.ok ? [parsed.job] : [];
      const warnings = [...jobWarnings(jobs, clock.now()), ...(await clusterWarnings({ store, keys }, jobs))];
      const created = change === 'created';
      return reply
        .code(created ? 201 : 200)
        .header('etag', etagOf(revision))
        .send({ name, created, changed: change !== 'unchanged', revision, warnings });
    },
  );
}

/** A condition that the caller set and that does not hold is 412 in HTTP. */
async function told<T>({ revision }: { readonly revision?: number }, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (revision !== undefined && error instanceof EtcronError && error.code === 'ETCRON_CONFLICT')
      throw new StatusError(412, error);
    throw error;
  }
}

function readContext({ store, keys, clock }: ApiServices['context']) {
  return { store, keys, clock, actor: { name: 'api' } };
}
