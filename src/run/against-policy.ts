import type { StartFailure } from './start-failure.js';

/** No worker claims what its policy forbids; this is for a claim that was forged. `what`: what is forbidden. */
export function againstPolicy(what: string): StartFailure {
  return {
    message: `the policy of this worker forbids ${what}`,
    hint: 'What it may run stands in the file that its setting "policy" names.',
  };
}
