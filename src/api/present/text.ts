import type { DefinitionProblem } from '../schemas/common.js';
import type { Problem } from '../../jobs/index.js';
import type { PreviewEntry } from '../../schedule/index.js';
import { isoText } from '../../etcd/record.js';

export { isoText };

export function problemToJson({ code, path, message, hint, line, column }: Problem): DefinitionProblem {
  return { code, path, message, hint: hint ?? null, line: line ?? null, column: column ?? null };
}

export function dueToJson({ dueMs, localText, note, expressions }: PreviewEntry) {
  return { due: isoText(dueMs), local: localText, note: note ?? null, schedules: [...expressions] };
}

export function pauseToJson(pause: { reason: string | null; untilMs: number | null } | null) {
  return pause && { reason: pause.reason, until: isoText(pause.untilMs) };
}
