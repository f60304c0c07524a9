import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap } from '../src/heap.js';

describe('Heap', () => {
  it('gives the smallest first, whatever the order of pushes and pops', () => {
    const operation = fc.option(fc.integer({ min: 0, max: 50 }), { nil: null });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const heap = new Heap<number>((a, b) => a < b);
        const model: number[] = [];
        for (const value of operations) {
          if (value === null) expect(heap.pop()).toBe(model.shift());
          else {
            heap.push(value);
            model.push(value);
            model.sort((a, b) => a - b);
          }
          expect([heap.peek(), heap.size]).toEqual([model[0], model.length]);
        }
      }),
    );
  });

  it('is empty after clear, and can be used again', () => {
    const heap = new Heap<number>((a, b) => a < b);
    heap.push(2);
    heap.push(1);
    heap.clear();
    expect([heap.size, heap.peek(), heap.pop()]).toEqual([0, undefined, undefined]);
    heap.push(3);
    expect(heap.pop()).toBe(3);
  });
});
