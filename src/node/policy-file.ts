/** The policy file of a worker: what it may run, whatever stands in etcd. */
import { ConfigFile, reasonOf } from '../etcd/config-file.js';
import { EtcronError } from '../errors.js';
import { policyFileSchema, type Policy } from '../jobs/policy/policy.js';
import { nearest } from '../schedule/nearest.js';
import type { UnderPolicy } from './own-fitness.js';

export interface LoadedPolicy {
  readonly policy: Policy;
  /** Labels of the worker that its settings cannot change. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Rejects with ETCRON_FILE_UNREADABLE, and with ETCRON_CONFIG_INVALID that names the line. */
export async function readPolicyFile(path: string): Promise<LoadedPolicy> {
  const file = await ConfigFile.read(path);
  if (file === null) {
    throw new EtcronError(
      'ETCRON_FILE_UNREADABLE',
      `cannot read the policy file ${path}: ${reasonOf({ code: 'ENOENT' })}`,
      { details: { file: path } },
    );
  }
  const parsed = policyFileSchema.safeParse(file.get());
  if (parsed.success) {
    const { labels = {}, ...policy } = parsed.data;
    return { policy, labels };
  }
  const issue = parsed.error.issues[0]!;
  const at = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const known = Object.keys(knownKeys[at.join('.')] ?? {});
    const [meant] = nearest(key, known, 1);
    const hint = meant === undefined ? `There are ${known.join(', ')}.` : `Did you mean "${meant}"?`;
    throw file.invalid([...at, key], `"${[...at, key].join('.')}" is no part of a policy`, hint);
  }
  throw file.invalid(at, `${at.join('.') || 'a policy'} ${issue.message}`);
}

const { shape } = policyFileSchema;
const knownKeys: Readonly<Record<string, object>> = {
  '': shape,
  commands: shape.commands.unwrap().shape,
  http: shape.http.unwrap().shape,
  secrets: shape.secrets.unwrap().shape,
};

/** What holds for a worker with these labels of its own; throws like `labelsUnderPolicy`. */
export function underPolicyFile(
  labels: Readonly<Record<string, string>>,
  loaded: LoadedPolicy,
  path: string,
): UnderPolicy & { readonly policy: Policy } {
  return { labels: labelsUnderPolicy(labels, loaded, path), policy: loaded.policy };
}

/** The worker's labels with those of its policy; throws ETCRON_CONFIG_INVALID where a setting says something else. */
export function labelsUnderPolicy(
  labels: Readonly<Record<string, string>>,
  { labels: fixed }: LoadedPolicy,
  path: string,
): Record<string, string> {
  for (const [name, value] of Object.entries(fixed)) {
    const set = Object.hasOwn(labels, name) ? labels[name] : undefined;
    if (set === undefined || set === value) continue;
    throw new EtcronError(
      'ETCRON_CONFIG_INVALID',
      `the label ${name}=${set} is not what ${path} says: ${name}=${value}`,
      { hint: 'Take the label out of the settings of the worker.', details: { label: name } },
    );
  }
  return { ...labels, ...fixed };
}
