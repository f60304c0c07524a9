export { unknownFieldHint } from './did-you-mean.js';
export { diffJobs, type DiffOptions, type FieldChange, type JobChange } from './diff.js';
export type {
  CommandTask,
  HandlerTask,
  HistoryLimit,
  HttpTask,
  Job,
  MisfireRule,
  OverlapRule,
  RetryPolicy,
  SecretSource,
  Target,
  Task,
  WantedLabels,
} from './job.js';
export { checkJobName, JOB_NAME_PATTERN } from './job-name.js';
export { parseJobsFile, type FileJob, type JobsFile, type Place } from './jobs-file.js';
export { loadJobsFiles, readSource, type LoadOptions } from './load-jobs-files.js';
export { scheduleOf, scheduleOptionsOf, scheduleText } from './job-schedule.js';
export { parseJobValue, type JobParse } from './parse-job.js';
export { isPausedForGood, pauseAt, type Pause } from './pause.js';
export { peekDefinition, peekSchedule, type Peek } from './peek.js';
export { printable, quote } from './printable.js';
export { formatPath, formatProblem, type Problem } from './problem.js';
export { MAX_FILE_BYTES } from './limits.js';
export { renderJobsFile } from './render-jobs-file.js';
export { renderDiff } from './render-diff.js';
export { YAML_STYLE } from './yaml-style.js';
export { JOB_DEFAULTS, resolveJob } from './resolve.js';
export { FIELD_NAMES, type JobDefinition } from './schema.js';
export { serializeDefinition } from './serialize.js';
export { parseTemplate, type TemplatePart } from './template.js';
export { formatTime } from './time-format.js';
export { importCrontab, type CrontabImport, type ImportFinding } from './crontab/import-crontab.js';
export { definitionsOf, renderImport } from './crontab/render-import.js';
export { validateDefinition } from './validate.js';
