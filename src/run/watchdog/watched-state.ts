import type { Message, ProcessGroup, WatchedLease } from './messages.js';

/** A run that must not outlive its worker. */
export interface WatchedRun {
  readonly marker: string;
  /** null from just before the spawn until the worker has told. */
  readonly group: ProcessGroup | null;
}

/** What the watchdog has to know. The worker keeps the same, to tell it all to a watchdog that is new or fell behind. */
export class WatchedState {
  lease: WatchedLease | null = null;
  readonly runs = new Map<string, WatchedRun>();
  readonly launchers = new Map<string, WatchedRun>();

  apply(message: Message): void {
    switch (message.type) {
      case 'reset':
        this.lease = null;
        this.runs.clear();
        this.launchers.clear();
        break;
      case 'lease': {
        const { leaseId, ttlMs, trustedUntilMs } = message;
        this.lease = { leaseId, ttlMs, trustedUntilMs };
        break;
      }
      case 'starting':
        this.runs.set(message.marker, { marker: message.marker, group: null });
        break;
      case 'started':
        if (this.runs.has(message.marker)) {
          this.runs.set(message.marker, { marker: message.marker, group: message.group });
        }
        break;
      case 'ended':
        this.runs.delete(message.marker);
        break;
      case 'launcher':
        this.launchers.set(message.marker, { marker: message.marker, group: message.group });
        break;
      case 'launcher-ended':
        this.launchers.delete(message.marker);
        break;
      case 'settings':
      case 'done':
        break;
    }
  }

  /** The messages that bring another state to this one. */
  snapshot(): Message[] {
    const messages: Message[] = [{ type: 'reset' }];
    if (this.lease !== null) messages.push({ type: 'lease', ...this.lease });
    for (const { marker, group } of this.launchers.values()) {
      if (group !== null) messages.push({ type: 'launcher', marker, group });
    }
    for (const { marker, group } of this.runs.values()) {
      messages.push({ type: 'starting', marker });
      if (group !== null) messages.push({ type: 'started', marker, group });
    }
    return messages;
  }
}
