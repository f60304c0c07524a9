import { describe, expect, it } from 'vitest';
import { BurstLead } from '../../src/claim/burst-lead.js';

describe('the lead of a burst', () => {
  it('is none for the usual number of firings, then grows with their number, and has an end', () => {
    const lead = new BurstLead();
    const leads = Array.from({ length: 10_000 }, (_, index) => lead.of(`run-${index}`, 60_000));
    expect(Math.max(...leads.slice(0, 200))).toBe(0);
    expect(leads[1_200]).toBe(1_200);
    expect(leads.every((one, index) => index === 0 || one >= leads[index - 1]!)).toBe(true);
    expect(leads.at(-1)).toBe(4_000);
    // Another moment is another burst.
    expect(lead.of('elsewhere', 61_000)).toBe(0);
  });

  it('stays the same for a run that is looked at again, and is forgotten with it', () => {
    const lead = new BurstLead();
    for (let index = 0; index < 1_000; index += 1) lead.of(`run-${index}`, 60_000);
    const first = lead.of('one', 60_000);
    expect(first).toBeGreaterThan(0);
    expect(lead.of('one', 60_000)).toBe(first);
    expect(lead.of('one', 90_000)).toBe(0);
    for (let index = 0; index < 1_000; index += 1) lead.forget(`run-${index}`);
    lead.forget('one');
    lead.forget('never seen');
    expect(lead.size).toBe(0);
    expect(lead.of('again', 60_000)).toBe(0);
  });
});
