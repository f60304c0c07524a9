import type { ParsedSchedule } from './parsed-schedule.js';

/** `@at`: due once. */
export class AtSchedule implements ParsedSchedule {
  readonly neverFires = false;

  constructor(
    readonly expression: string,
    readonly timeZone: string,
    private readonly dueMs: number,
    private readonly note: string | undefined,
  ) {}

  next(afterMs: number): number | null {
    return afterMs < this.dueMs ? this.dueMs : null;
  }

  previous(beforeMs: number): number | null {
    return beforeMs > this.dueMs ? this.dueMs : null;
  }

  noteAt(): string | undefined {
    return this.note;
  }

  expressionsAt(): readonly string[] {
    return [this.expression];
  }
}
