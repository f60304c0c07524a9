/**
 * What a command works with: its output, its clock, the way to etcd. A command's action begins with
 * `const context = contextOf(command)` and leaves everything else to a function that takes the context, which it
 * imports only then: `etcron --help` loads neither the etcd client nor the schema.
 */
import type { Command } from 'commander';
import type pc from 'picocolors';
import type { Clock } from '../clock.js';
import type { CliCluster, CliEnvironment, GlobalOptions } from './environment.js';
import type { OperationContext } from '../operations/context.js';
import { Output } from './output.js';
import { requester } from './requester.js';

export type Colors = ReturnType<typeof pc.createColors>;

export class CliContext {
  readonly environment: CliEnvironment;
  /** The global options, `--json` and those of the connection among them. */
  readonly options: GlobalOptions;
  readonly out: Output;
  /** For a command that did its work and whose answer is "no", such as `status`; errors are thrown instead. */
  exitCode = 0;

  constructor(environment: CliEnvironment, options: GlobalOptions) {
    this.environment = environment;
    this.options = options;
    this.out = new Output(environment, options.json === true);
  }

  get clock(): Clock {
    return this.environment.clock;
  }

  /** The result goes to stdout as one JSON document instead of text. */
  get json(): boolean {
    return this.options.json === true;
  }

  get colors(): Colors {
    return this.out.colors;
  }

  /** Connects, works, and closes the connection however the work ended. What the work changes is recorded. */
  withStore<T>(work: (cluster: CliCluster) => Promise<T>): Promise<T> {
    return this.#connected(this.options, async (cluster) => {
      if (cluster.isAudited) return work(cluster);
      const { auditedCluster } = await import('./audited-cluster.js');
      return work(auditedCluster(cluster, this.clock));
    });
  }

  /** The same for what is no command of a person, such as a worker: on etcd itself. */
  withPlainStore<T>(work: (cluster: CliCluster) => Promise<T>): Promise<T> {
    return this.#connected({ ...this.options, onEtcd: true }, work);
  }

  async #connected<T>(options: GlobalOptions, work: (cluster: CliCluster) => Promise<T>): Promise<T> {
    const cluster = await this.environment.connect(options);
    const { warning } = cluster;
    if (warning !== undefined) this.out.warn(warning);
    try {
      return await work(cluster);
    } finally {
      await cluster.store.close();
    }
  }

  /** The same, for what changes something: with the clock and with who asks. */
  withOperations<T>(work: (context: OperationContext) => Promise<T>): Promise<T> {
    return this.withStore(({ store, keys, requester: name = requester() }) =>
      work({ store, keys, clock: this.clock, actor: { name } }),
    );
  }
}

const environments = new WeakMap<Command, CliEnvironment>();
const contexts = new WeakMap<Command, CliContext>();

/** Makes `program` the root of commands that run in `environment`. */
export function provideEnvironment(program: Command, environment: CliEnvironment): void {
  environments.set(program, environment);
}

/** The context of the command line to which `command` belongs; inside an action, when the options are known. */
export function contextOf(command: Command): CliContext {
  const program = rootOf(command);
  const environment = environments.get(program);
  if (!environment) throw new Error('this command belongs to no program with an environment');
  const context = contexts.get(program) ?? new CliContext(environment, program.opts());
  contexts.set(program, context);
  return context;
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
