/** Definitions that are not written: is this text right, and what would it change? */
import { planChanges } from '../../apply/plan-changes.js';
import {
  parseJobsFile,
  parseJobValue,
  scheduleOf,
  type Job,
  type JobDefinition,
  type Problem,
} from '../../jobs/index.js';
import { clusterWarnings, jobWarningsInTurns } from '../../operations/job-warnings.js';
import { describeSchedule, preview } from '../../schedule/index.js';
import { whyNobody } from '../../view/eligibility.js';
import { dueToJson, problemToJson } from '../present/text.js';
import * as schemas from '../schemas/jobs.js';
import type { ApiApp, ApiServices } from '../services.js';
import { answers, VIEWER } from './answers.js';

const tags = ['definitions'];
const DUE_TIMES = 5;
/** More are not looked through one by one by anybody. */
const JOBS_SHOWN = 100;

export function definitionRoutes(app: ApiApp, { context, reader }: ApiServices): void {
  const { store, keys, clock } = context;

  app.post(
    '/validate',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'Whether a definition, or a file of them, is right',
        body: schemas.validateBody,
        response: answers(schemas.validation),
      },
    },
    async (request) => {
      const { jobs, problems } = readText(request.body);
      const nowMs = clock.now();
      const all = [...jobs.values()].map(({ job }) => job);
      const warnings =
        problems.length > 0
          ? []
          : [...(await jobWarningsInTurns(all, nowMs)), ...(await clusterWarnings({ store, keys }, all))];
      const { view } = await reader.live.use();
      const workers = [...view.workers.values()].map(({ value }) => value);
      return {
        ok: problems.length === 0,
        problems: problems.map(problemToJson),
        warnings,
        jobs: all.slice(0, JOBS_SHOWN).map((job) => ({
          name: job.name,
          when: describeSchedule(job.schedule, { job: job.name }),
          timezone: job.timezone,
          cannotRun: workers.length === 0 ? null : whyNobody(job, null, workers),
          dueTimes: preview(scheduleOf(job), nowMs, DUE_TIMES).map(dueToJson),
        })),
      };
    },
  );

  app.post(
    '/diff',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'What a definition, or a file of them, would change',
        body: schemas.diffBody,
        response: answers(schemas.jobDiff),
      },
    },
    async (request) => {
      const { jobs, problems } = readText(request.body);
      if (problems.length > 0) return { problems: problems.map(problemToJson), changes: [] };
      const { set, prune, name } = request.body;
      const desired = new Map([...jobs].map(([job, { definition }]) => [job, definition]));
      const { changes } = await planChanges({ store, keys }, desired, {
        set,
        prune: prune && name === undefined,
      });
      return {
        problems: [],
        changes: changes.map((change) => ({
          name: change.name,
          kind: change.kind,
          set: change.owner,
          staysPaused: change.staysPaused,
          fields: change.fields.map(({ path, before, after }) => ({ path, before, after })),
        })),
      };
    },
  );
}

interface ReadText {
  readonly jobs: ReadonlyMap<string, { readonly job: Job; readonly definition: JobDefinition }>;
  readonly problems: readonly Problem[];
}

function readText({ text, name }: { readonly text: string; readonly name?: string | undefined }): ReadText {
  if (name === undefined) return parseJobsFile(text, 'text');
  const parsed = parseJobValue(name, text);
  return parsed.ok
    ? { jobs: new Map([[name, parsed]]), problems: [] }
    : { jobs: new Map(), problems: parsed.problems };
}
