import type * as library from 'yaml';
import { lazyModule } from './lazy-module.js';

/** The YAML library, for what a worker runs: as long as all that it reads is JSON, it need not load it. */
export const yaml = lazyModule<typeof library>('yaml');
