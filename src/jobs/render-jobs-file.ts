import { yaml } from '../yaml-library.js';
import { YAML_STYLE } from './yaml-style.js';
import type { JobDefinition } from './schema.js';
import { canonicalDefinition } from './serialize.js';

/** A file of jobs in YAML, in the order of the map, which says exactly what the definitions say. */
export function renderJobsFile(jobs: ReadonlyMap<string, JobDefinition>): string {
  const definitions = new Map(
    [...jobs].map(([name, definition]) => [name, canonicalDefinition(definition)] as const),
  );
  const { Document } = yaml();
  return new Document({ jobs: definitions }, { aliasDuplicateObjects: false }).toString(YAML_STYLE);
}
