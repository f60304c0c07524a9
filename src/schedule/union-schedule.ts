import type { ParsedSchedule } from './parsed-schedule.js';

/** Several schedules of one job: due when one of them is. Where they coincide there is one due time, and one firing. */
export class UnionSchedule implements ParsedSchedule {
  readonly expression: string;
  readonly neverFires: boolean;

  /** `parts` have the same time zone; there is at least one. */
  constructor(private readonly parts: readonly ParsedSchedule[]) {
    this.expression = parts.map((part) => part.expression).join('; ');
    this.neverFires = parts.every((part) => part.neverFires);
  }

  get timeZone(): string {
    return this.parts[0]!.timeZone;
  }

  next(afterMs: number): number | null {
    let earliestMs: number | null = null;
    for (const part of this.parts) {
      const dueMs = part.next(afterMs);
      if (dueMs !== null && (earliestMs === null || dueMs < earliestMs)) earliestMs = dueMs;
    }
    return earliestMs;
  }

  previous(beforeMs: number): number | null {
    let latestMs: number | null = null;
    for (const part of this.parts) {
      const dueMs = part.previous(beforeMs);
      if (dueMs !== null && (latestMs === null || dueMs > latestMs)) latestMs = dueMs;
    }
    return latestMs;
  }

  noteAt(dueMs: number): string | undefined {
    const notes = new Set(this.#dueAt(dueMs).flatMap((part) => part.noteAt(dueMs) ?? []));
    return notes.size === 0 ? undefined : [...notes].join('; ');
  }

  expressionsAt(dueMs: number): readonly string[] {
    return [...new Set(this.#dueAt(dueMs).map((part) => part.expression))];
  }

  #dueAt(dueMs: number): readonly ParsedSchedule[] {
    return this.parts.filter((part) => part.next(dueMs - 1) === dueMs);
  }
}
