/**
 * Bounds on what a definition may hold. They keep one hostile or mistaken value from costing others anything: time to
 * parse, memory, a stack overflow, an etcd request that is too large.
 */

/** A definition, as text and as the JSON that etcron writes. */
export const MAX_DEFINITION_BYTES = 64 * 1024;
/** YAML tokens in one definition; the time to parse grows with them. */
export const MAX_DEFINITION_TOKENS = 20_000;
export const MAX_FILE_BYTES = 1024 * 1024;
export const MAX_FILE_TOKENS = 400_000;
/**
 * Levels of maps and lists within each other. A job in a file needs 4. The YAML composer is recursive: some thousand
 * levels overflow the stack, and can end the process beyond the reach of any `catch`.
 */
export const MAX_NESTING = 32;
/** Problems reported for one job or one file; further ones are counted. */
export const MAX_PROBLEMS = 50;

export const MAX_COMMAND_PARTS = 1_024;
export const MAX_ENV_NAMES = 256;
export const MAX_LABELS = 64;
export const MAX_LABEL_LENGTH = 256;
export const MAX_DESCRIPTION_LENGTH = 4_096;
export const MAX_REASON_LENGTH = 256;
export const MAX_SCHEDULE_LENGTH = 256;
/** Expressions of one job. */
export const MAX_SCHEDULES = 16;
/** Items of `only` and of `exclude`. */
export const MAX_DAY_ITEMS = 100;
export const MAX_JITTER_MS = 86_400_000;
export const MAX_RUNS = 1_000_000;
export const MAX_WEIGHT = 100_000;
/** Runs of one job at once, where they are bounded at all: a skipped due time compares the slot of each. */
export const MAX_CONCURRENT = 100;
/** Due times of one job that wait for an earlier run to end. */
export const MAX_QUEUE = 10_000;
/** Limits that one job is under: a claim compares each. */
export const MAX_LIMITS = 8;
export const MAX_EXIT_CODES = 256;
export const MAX_SECRETS = 64;
export const MAX_HEADERS = 64;
export const MAX_STATUSES = 64;
export const MAX_PATH_LENGTH = 4_096;
export const MAX_ATTEMPTS = 100;
export const MAX_MISFIRE_LIMIT = 10_000;
export const MAX_HISTORY_LIMIT = 10_000;
/** Ten years: nobody means more. */
export const MAX_DURATION_MS = 3_650 * 86_400_000;
