/** Everything that the command line takes from outside, so that tests run whole commands without a process or an etcd. */
import type { Clock } from '../clock.js';
import { systemClock } from '../clock.js';
import type { Cluster } from '../etcd/cluster.js';

export type { Cluster } from '../etcd/cluster.js';

/** What is written to: `process.stdout`, or a test's collector. */
export interface TextSink {
  /** Bytes as they are, such as the output of a command. */
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface TextSource extends AsyncIterable<Uint8Array> {
  readonly isTTY?: boolean;
}

/** The options that every command takes, as commander parsed them. */
export type GlobalOptions = Readonly<Record<string, unknown>> & { readonly json?: boolean };

export interface CliEnvironment {
  readonly stdin: TextSource;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Calls `listener` with each request to stop (Ctrl-C), which then ends nothing by itself. Returns the function that ends it. */
  readonly onInterrupt?: (listener: () => void) => () => void;
  /** The terminal that a screen can be drawn on; null where there is none. */
  readonly terminal?: () => Terminal | null;
  /** Connects as flags, environment and config file say, and makes sure that etcd answers. */
  readonly connect: (options: GlobalOptions) => Promise<CliCluster>;
}

/** A terminal whose whole screen is taken. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
  /** Each returns the function that ends it. */
  onResize(listener: () => void): () => void;
  /** Keys come one by one, unechoed, Ctrl-C among them as `\x03`. */
  onKey(listener: (key: string) => void): () => void;
}

export interface CliCluster extends Cluster {
  /** Whoever stands behind the store records what is changed. */
  readonly isAudited?: boolean;
  /** Who one is there, where that is not the user of this machine. */
  readonly requester?: string;
  /** What somebody should know who reaches it so. */
  readonly warning?: string;
}

function processTerminal(): Terminal | null {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY || process.env.TERM === 'dumb') return null;
  return {
    get columns() {
      return stdout.columns;
    },
    get rows() {
      return stdout.rows;
    },
    write: (text) => void stdout.write(text),
    onResize(listener) {
      stdout.on('resize', listener);
      return () => void stdout.off('resize', listener);
    },
    onKey(listener) {
      const hear = (data: Buffer): void => {
        for (const key of data.toString('utf8')) listener(key);
      };
      stdin.setRawMode(true).resume().on('data', hear);
      return () => void stdin.off('data', hear).pause().setRawMode(false);
    },
  };
}

const INTERRUPTS = ['SIGINT', 'SIGTERM'] as const;

/** The real one. */
export function processEnvironment(): CliEnvironment {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    clock: systemClock,
    onInterrupt(listener) {
      for (const signal of INTERRUPTS) process.on(signal, listener);
      return () => {
        for (const signal of INTERRUPTS) process.off(signal, listener);
      };
    },
    terminal: () => processTerminal(),
    connect: async (options) => (await import('./connection.js')).connectCluster(options, process.env),
  };
}
