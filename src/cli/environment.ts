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
  /** Connects as flags, environment and config file say, and makes sure that etcd answers. */
  readonly connect: (options: GlobalOptions) => Promise<CliCluster>;
}

export interface CliCluster extends Cluster {
  /** Whoever stands behind the store records what is changed. */
  readonly isAudited?: boolean;
  /** Who one is there, where that is not the user of this machine. */
  readonly requester?: string;
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
    connect: async (options) => (await import('./connection.js')).connectCluster(options, process.env),
  };
}
