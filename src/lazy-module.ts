import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * A library that is loaded when it is first used. For those that a worker seldom needs: loading takes most of the time of
 * its start. It is CommonJS, or an ES module that awaits nothing while it loads.
 */
export function lazyModule<Module>(name: string): () => Module {
  let loaded: Module | null = null;
  return () => (loaded ??= require(name) as Module);
}
