/** Where a worker keeps the output of its runs, by its settings. */
import { formatSize } from '../size.js';
import {
  MIN_PART_BYTES,
  OUTPUT_DEFAULTS,
  workerFolder,
  type OutputSettings,
} from '../run/output/settings.js';
import { invalidSetting, type FindSetting } from './resolve-options.js';

/** `null`: only the tails in the records are kept. `defaultDir` counts where no folder was set. Throws ETCRON_CONFIG_INVALID. */
export function resolveOutput(
  find: FindSetting,
  worker: string,
  defaultDir: string | null,
): OutputSettings | null {
  const dir = find('outputDir')?.value ?? defaultDir;
  if (dir === null || dir === 'off') return null;
  const runLimit = find('outputRunLimit');
  const attemptLimitBytes = runLimit?.value ?? OUTPUT_DEFAULTS.attemptLimitBytes;
  const limit = find('outputLimit');
  const totalLimitBytes = limit?.value ?? Math.max(OUTPUT_DEFAULTS.totalLimitBytes, attemptLimitBytes);
  if (totalLimitBytes < attemptLimitBytes) {
    const problem = `${formatSize(totalLimitBytes)} for all output is less than the ${formatSize(attemptLimitBytes)} of one attempt`;
    throw invalidSetting(limit!.source, problem, 'Raise outputLimit or lower outputRunLimit.');
  }
  return {
    folder: workerFolder(dir, worker),
    attemptLimitBytes: Math.max(MIN_PART_BYTES, attemptLimitBytes),
    totalLimitBytes,
    maxAgeMs: find('outputMaxAge')?.value ?? OUTPUT_DEFAULTS.maxAgeMs,
  };
}
