import { expect, it } from 'vitest';
import { SCENARIOS } from '../../bench/scenarios/index.js';

it.each(SCENARIOS)(
  '$name has measures with keys of their own, and targets that name some of them',
  (scenario) => {
    const keys = scenario.measures.map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
    for (const { measure } of scenario.targets) expect(keys).toContain(measure);
    const rawKeys = (scenario.rawMeasures ?? []).map(({ key }) => key);
    expect(new Set(rawKeys).size).toBe(rawKeys.length);
  },
);

it('has names of their own', () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
});
