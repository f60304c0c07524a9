import { describe, expect, it } from 'vitest';
import { waitUntil } from './wait.js';

describe('waitUntil', () => {
  it('resolves with the first truthy value, through false ones and errors', async () => {
    let calls = 0;
    const value = await waitUntil(
      async () => {
        calls++;
        if (calls === 1) throw new Error('not ready');
        return calls === 3 ? 'ready' : undefined;
      },
      { what: 'the third call' },
    );
    expect([value, calls]).toEqual(['ready', 3]);
  });

  it('says what it waited for, and what it saw last', async () => {
    await expect(waitUntil(() => 0, { timeoutMs: 1, what: 'a run' })).rejects.toThrow(
      'waited 1 ms in vain for a run; last value: 0',
    );
    const failing = () => Promise.reject(new Error('refused'));
    await expect(waitUntil(failing, { timeoutMs: 1, what: 'a run' })).rejects.toThrow('last error: refused');
  });
});
