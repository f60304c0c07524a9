/**
 * What the launcher process does with its orders.
 *
 *     for each: "starting" is in the pipe ──▶ still valid? ──▶ process started, "started" ──▶ tree gone, "result"
 *                                                  └─ no: "refused"
 *     the pipe of the orders ends ──▶ nothing starts any more; runs that must not outlive the worker killed ──▶ exit
 */
import type { Clock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import { LiveCommand, spawnNow, type CommandContext, type Spawned } from '../live-command.js';
import { machineMonotonicMs } from '../machine-time.js';
import { Mask } from '../mask.js';
import { NO_LOG } from '../output/attempt-log.js';
import { OutputStore } from '../output/output-store.js';
import { leanSpawn } from './lean-spawn.js';
import {
  encode,
  makeReader,
  OF_NO_RUN,
  type FromLauncher,
  type StartOrder,
  type ToLauncher,
} from './messages.js';

/** So many share a write: each one wakes the worker, which wants the same processors as the commands. */
const TOGETHER = 16;
/** Less than the time between the end of a worker's trust and that of its lease. */
const SPAWN_LIMIT_MS = 200;
/** For the last bytes of output to get to the disk. Less than what an orderly stop of the launcher may take. */
const LAST_WRITES_MS = 1_500;

export class LauncherServer {
  readonly #clock: Clock;
  readonly #workerPid: number;
  readonly #runs = new Map<number, { command: LiveCommand; outlivesWorker: boolean }>();
  #output: OutputStore | null = null;
  #orders: StartOrder[] = [];
  /** In order, for the next write. */
  #unsaid: FromLauncher[] = [];
  #workerGone = false;

  /** `clock` gives the times of results: the machine's monotonic ones, on both of its clocks. */
  constructor(clock: Clock, workerPid: number) {
    this.#clock = clock;
    this.#workerPid = workerPid;
  }

  /** Reads orders from stdin and answers on stdout, until the worker is gone; then it ends the process. */
  serve(): void {
    const read = makeReader<ToLauncher>((message) => this.#receive(message));
    process.stdin.setEncoding('utf8');
    process.stdin.on('data', (chunk: string) => {
      read(chunk);
      this.#startAll();
    });
    process.stdin.on('close', () => void this.#endWithWorker());
    // 'close' follows.
    process.stdin.on('error', () => undefined);
    process.stdout.on('error', () => undefined);
    process.stdout.on('drain', () => this.#startAll());
    this.#say({ type: 'ready' });
  }

  #receive(message: ToLauncher): void {
    if (this.#workerGone) return;
    if (message.type === 'start') this.#orders.push(message);
    else if (message.type === 'ping') this.#say({ type: 'pong' });
    else if (message.type === 'output')
      this.#output = new OutputStore(message.settings, this.#clock, this.#logOf(OF_NO_RUN));
    else this.#kill(message.id, message.reason, message.graceMs);
  }

  #kill(id: number, reason: string, graceMs: number): void {
    const order = this.#orders.find((each) => each.id === id);
    if (order === undefined) return this.#runs.get(id)?.command.kill(reason, graceMs);
    // Then it need not begin.
    this.#orders.splice(this.#orders.indexOf(order), 1);
    this.#say({ type: 'refused', id });
  }

  /** Starts what is ordered, as long as the worker reads: nothing begins before "starting" is in the pipe. */
  #startAll(): void {
    const spawned: [StartOrder, Spawned][] = [];
    while (this.#orders.length > 0) {
      const next = this.#orders.slice(0, TOGETHER);
      this.#unsaid.push(...next.map(({ id }) => ({ type: 'starting', id }) as const));
      // What is left is said again when the pipe has room.
      if (!this.#flush()) break;
      this.#orders = this.#orders.slice(TOGETHER);
      for (const order of next) {
        // The death of the worker shows here before the end of the pipe is read.
        const isOver = machineMonotonicMs() > order.validUntilMs || process.ppid !== this.#workerPid;
        if (isOver) this.#unsaid.push({ type: 'refused', id: order.id });
        else spawned.push([order, spawnNow(order.launch, this.#clock, leanSpawn)]);
      }
    }
    // None of them waits for what has to be done for those before it.
    for (const [order, how] of spawned) this.#supervise(order, how);
    this.#flush();
  }

  #supervise(order: StartOrder, spawned: Spawned): void {
    const { id, launch, user, marker, timeoutMs, killGraceMs, validUntilMs, outlivesWorker } = order;
    const plan = { launch, user, marker, mask: new Mask(order.hidden), request: { timeoutMs, killGraceMs } };
    const log = this.#logOf(id);
    const output = this.#output?.open(order.attempt) ?? NO_LOG;
    const command = new LiveCommand(plan, spawned, { clock: this.#clock, log, output });
    const { pid, startTicks, startedAtMs } = command;
    this.#runs.set(id, { command, outlivesWorker });
    this.#unsaid.push({ type: 'started', id, pid, startTicks, atMs: startedAtMs });
    // Frozen between the look at the clock and the start: it came too late after all.
    if (startedAtMs > validUntilMs + SPAWN_LIMIT_MS) command.kill('it was started too late', 0);
    void command.result.then((result) => {
      this.#runs.delete(id);
      this.#say({ type: 'result', id, result });
    });
  }

  /** In one write with everything else of this turn of the event loop. */
  #say(message: FromLauncher): void {
    if (this.#unsaid.length === 0) setImmediate(() => this.#flush());
    this.#unsaid.push(message);
  }

  /** Whether everything is in the pipe. */
  #flush(): boolean {
    if (this.#unsaid.length > 0) process.stdout.write(encode(this.#unsaid));
    this.#unsaid = [];
    return process.stdout.writableLength === 0;
  }

  #logOf(id: number): CommandContext['log'] {
    const at =
      (level: 'debug' | 'warn' | 'error') =>
      (facts: object, text: string): void => {
        // An error has nothing that JSON shows.
        const plain = 'err' in facts ? { ...facts, err: messageOf(facts.err) } : facts;
        this.#say({ type: 'log', id, level, facts: plain, text });
      };
    return { debug: at('debug'), warn: at('warn'), error: at('error') };
  }

  async #endWithWorker(): Promise<void> {
    this.#workerGone = true;
    this.#orders = [];
    const mustEnd = [...this.#runs.values()].filter(({ outlivesWorker }) => !outlivesWorker);
    for (const { command } of mustEnd) command.kill('the worker is gone', 0);
    await Promise.all(mustEnd.map(({ command }) => command.result));
    setTimeout(() => process.exit(0), LAST_WRITES_MS);
    await this.#output?.settled();
    process.exit(0);
  }
}
