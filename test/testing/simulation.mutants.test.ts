/** The simulation can fail: it finds each of these bugs within a few seeds. */
import { describe, expect, it } from 'vitest';
import { simulate } from '../../src/testing/simulation/simulate.js';
import { MUTANTS } from '../support/mutants.js';

const MAX_SEEDS = 200;

describe('the simulation finds that', () => {
  it.each(Object.entries(MUTANTS))('%s', async (_, mutation) => {
    let found: string | null = null;
    for (let seed = 1; seed <= MAX_SEEDS && found === null; seed += 1) {
      const [violation] = (await simulate(seed, mutation)).violations;
      if (violation) found = `${violation.subject}: ${violation.text}`;
    }
    expect(found, `within ${MAX_SEEDS} seeds`).not.toBeNull();
  });
});
