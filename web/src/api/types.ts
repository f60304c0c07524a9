/** What the API answers, by the schemas that it checks and documents itself with. */
import type { z } from 'zod';
import type * as access from '../../../src/api/schemas/access.js';
import type * as cluster from '../../../src/api/schemas/cluster.js';
import type * as common from '../../../src/api/schemas/common.js';
import type * as jobs from '../../../src/api/schemas/jobs.js';
import type * as output from '../../../src/api/schemas/output.js';
import type * as runs from '../../../src/api/schemas/runs.js';

export type Role = z.output<typeof access.role>;
export type Session = z.output<typeof access.session>;
export type Token = z.output<typeof access.token>;
export type TokenList = z.output<typeof access.tokenList>;
export type CreatedToken = z.output<typeof access.createdToken>;
export type AuditRecord = z.output<typeof access.auditRecord>;
export type AuditList = z.output<typeof access.auditList>;

export type Cluster = z.output<typeof cluster.cluster>;
export type Stats = z.output<typeof cluster.stats>;
export type Timeline = z.output<typeof cluster.timeline>;
export type TimelineBucket = Timeline['buckets'][number];
export type ComingRun = z.output<typeof cluster.comingRun>;
export type LimitList = z.output<typeof cluster.limitList>;
export type Limit = LimitList['limits'][number];
export type Worker = z.output<typeof cluster.worker>;
export type WorkerList = z.output<typeof cluster.workerList>;

export type Pause = z.output<typeof common.pause>;
export type Outcome = z.output<typeof common.outcome>;
export type OutcomeCounts = z.output<typeof common.outcomeCounts>;
export type ProblemDocument = z.output<typeof common.problemDocument>;
export type DefinitionProblem = z.output<typeof common.definitionProblem>;

export type Job = z.output<typeof jobs.job>;
export type JobState = z.output<typeof jobs.jobState>;
export type JobDetails = z.output<typeof jobs.jobDetails>;
export type JobList = z.output<typeof jobs.jobList>;
export type JobHistory = z.output<typeof jobs.jobHistory>;
export type JobDiff = z.output<typeof jobs.jobDiff>;
export type DueTime = z.output<typeof jobs.dueTime>;
export type SavedJob = z.output<typeof jobs.savedJob>;
export type Validation = z.output<typeof jobs.validation>;

export type KeptOutput = z.output<typeof output.keptOutput>;
export type Run = z.output<typeof runs.run>;
export type RunState = z.output<typeof runs.runState>;
export type RunDetails = z.output<typeof runs.runDetails>;
export type RunList = z.output<typeof runs.runList>;
export type RequestedRun = z.output<typeof runs.requestedRun>;
