/** A map that forgets an entry that was not used for long, when it grows past `limit`. */
export class BoundedCache<Key, Value> {
  readonly #entries = new Map<Key, Value>();

  constructor(private readonly limit: number) {}

  get size(): number {
    return this.#entries.size;
  }

  /** The value of a key, made by `make` when it is not here; nothing is kept when `make` throws. */
  getOrMake(key: Key, make: () => Value): Value {
    let value = this.#entries.get(key);
    if (value === undefined) value = make();
    // What is used does not matter before something has to be forgotten soon, and keeping the order costs more than the look.
    else if (this.#entries.size * 2 < this.limit) return value;
    else this.#entries.delete(key);
    // A Map iterates in order of insertion: the first key is the one unused for longest.
    this.#entries.set(key, value);
    if (this.#entries.size > this.limit) this.#entries.delete(this.#entries.keys().next().value as Key);
    return value;
  }
}
