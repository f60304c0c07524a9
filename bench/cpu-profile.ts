/**
 * What a worker's time goes into, from the CPU profile that Node wrote: each sample counts for the innermost place on the
 * stack that says something. Node's own functions count for whoever called them, but for the few that are a cost of
 * their own. Times are wall-clock times: where other processes wait for the same cores they are longer than the CPU time.
 */
import { readFile } from 'node:fs/promises';

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  /** Microseconds on the clock of `process.hrtime`. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface Cost {
  readonly place: string;
  readonly ms: number;
}

/** For the bounds of `readCosts`. */
export function profileTimeUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** The costs between two moments, greatest first. */
export async function readCosts(file: string, fromUs: number, toUs: number): Promise<Cost[]> {
  const profile = JSON.parse(await readFile(file, 'utf8')) as CpuProfile;
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children }) => (children ?? []).map((one) => [one, id])),
  );
  const placeOf = (id: number): string | null => {
    const own = nodes.get(id)!.callFrame.functionName;
    if (own === '(idle)') return null;
    if (own === '(garbage collector)') return 'garbage collection';
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const { functionName, url } = nodes.get(at)!.callFrame;
      const place = nameOf(functionName, url);
      if (place !== null) return place;
    }
    return 'Node itself';
  };
  const costs = new Map<string, number>();
  let atUs = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const spentUs = profile.timeDeltas[index]!;
    atUs += spentUs;
    if (atUs < fromUs || atUs > toUs) continue;
    const place = placeOf(id);
    if (place !== null) costs.set(place, (costs.get(place) ?? 0) + spentUs / 1000);
  }
  return [...costs].map(([place, ms]) => ({ place, ms })).sort((a, b) => b.ms - a.ms);
}

/** Null for what says nothing by itself. */
function nameOf(functionName: string, url: string): string | null {
  if (url === 'node:internal/child_process' && functionName === 'ChildProcess.spawn')
    return 'fork and exec (ChildProcess.spawn)';
  if (/^node:internal\/http2|\/(@grpc|protobufjs|etcd3|long)\//.test(url))
    return 'etcd client (gRPC, protobuf, HTTP/2)';
  const library = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (library !== undefined) return library;
  const own = /\/(?:dist|src)\/([^/]+)\/[^/]+\.js$/.exec(url)?.[1];
  return own === undefined ? null : `etcron: ${own}/`;
}
