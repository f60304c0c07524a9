/**
 * A set of small integers that answers "which member comes at or after / at or before this value?" by one array read.
 */
export class ValueSet {
  readonly values: readonly number[];
  readonly #atOrAfter: Int8Array;
  readonly #atOrBefore: Int8Array;

  /** `values` lie in 0…`max`, `max` ≤ 126, and there is at least one. */
  constructor(values: Iterable<number>, max: number) {
    const members = new Set(values);
    this.values = [...members].sort((a, b) => a - b);
    this.#atOrAfter = new Int8Array(max + 2).fill(-1);
    this.#atOrBefore = new Int8Array(max + 2).fill(-1);
    for (let value = max; value >= 0; value--) {
      this.#atOrAfter[value] = members.has(value) ? value : this.#atOrAfter[value + 1]!;
    }
    for (let value = 0; value <= max; value++) {
      this.#atOrBefore[value + 1] = members.has(value) ? value : this.#atOrBefore[value]!;
    }
  }

  get first(): number {
    return this.values[0]!;
  }

  get last(): number {
    return this.values[this.values.length - 1]!;
  }

  /** The smallest member ≥ `value` (0…max + 1), or −1. */
  atOrAfter(value: number): number {
    return this.#atOrAfter[value]!;
  }

  /** The greatest member ≤ `value` (−1…max), or −1. */
  atOrBefore(value: number): number {
    return this.#atOrBefore[value + 1]!;
  }
}
