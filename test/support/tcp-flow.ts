import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../src/clock.js';

/** Held bytes beyond which nothing more is read: the sender then waits, as it would on a slow path. */
const HELD_BYTES = 1024 * 1024;

/** What the path does to its bytes at this moment. */
export interface FlowRules {
  readonly clock: Clock;
  /** False: nothing is read and nothing is written. */
  readonly open: boolean;
  /** How long this chunk is under way; null resets the connection. Asked once for each chunk. */
  transitMs(): number | null;
  /** Called instead of `transitMs` while this direction swallows; true when it does. */
  swallows(): boolean;
}

/** One direction of one connection. Order is kept, also where a later chunk would have been faster. */
export class TcpFlow {
  /** Null stands for the end of the stream. */
  private readonly held: { chunk: Buffer | null; dueMs: number }[] = [];
  private heldBytes = 0;
  private timer: Timer | null = null;
  private waitsForDrain = false;

  /** `onReset` is to break the connection. Both sockets are paused, and have an `error` listener. */
  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly rules: FlowRules,
    private readonly onReset: () => void,
  ) {
    from.on('data', (chunk: Buffer) => this.take(chunk));
    from.on('end', () => this.hold(null, 0));
    from.on('close', () => this.dropTimer());
    to.on('drain', () => {
      this.waitsForDrain = false;
      this.update();
    });
    to.on('close', () => this.dropTimer());
  }

  /** To be called when the rules have changed. */
  update(): void {
    if (!this.rules.open) {
      this.from.pause();
      this.dropTimer();
      return;
    }
    this.release();
    if (this.heldBytes < HELD_BYTES) this.from.resume();
    else this.from.pause();
  }

  private take(chunk: Buffer): void {
    if (this.rules.swallows()) return;
    const transitMs = this.rules.transitMs();
    if (transitMs === null) this.onReset();
    else this.hold(chunk, transitMs);
  }

  private hold(chunk: Buffer | null, transitMs: number): void {
    this.held.push({ chunk, dueMs: this.rules.clock.monotonicMs() + transitMs });
    this.heldBytes += chunk?.length ?? 0;
    this.update();
  }

  private release(): void {
    this.dropTimer();
    while (this.held.length > 0 && !this.waitsForDrain && !this.to.destroyed) {
      const remainingMs = this.held[0]!.dueMs - this.rules.clock.monotonicMs();
      if (remainingMs > 0) {
        this.timer = this.rules.clock.setTimer(remainingMs, () => this.update());
        return;
      }
      const { chunk } = this.held.shift()!;
      this.heldBytes -= chunk?.length ?? 0;
      if (chunk === null) this.to.end();
      else this.waitsForDrain = !this.to.write(chunk);
    }
  }

  private dropTimer(): void {
    this.timer?.cancel();
    this.timer = null;
  }
}
