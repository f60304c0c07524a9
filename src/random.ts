/**
 * Seeded randomness: the same seed gives the same sequence on every platform, so that a simulated run can be repeated
 * from its seed alone. Not for secrets or ids.
 *
 * The generator is sfc32 (Chris Doty-Humphrey's "small fast counting" generator, 128 bits of state, from PractRand),
 * seeded through splitmix32 from an FNV-1a hash of the seed.
 */
export interface Random {
  /** In [0, 1), with 32 random bits. */
  next(): number;
  /** A whole number in [0, limit); `limit` from 1 to 2^32. */
  int(limit: number): number;
  /** One of the list, which must not be empty. */
  pick<T>(list: readonly T[]): T;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** A shuffled copy. */
  shuffle<T>(list: readonly T[]): T[];
  /**
   * An independent generator that depends on the seed and the name alone, not on how much was drawn here: one part of
   * a simulation can draw more without changing what another part sees.
   */
  fork(name: string): Random;
}

const TWO_32 = 2 ** 32;

export function createRandom(seed: number | string): Random {
  const identity = String(seed);
  const draw = sfc32(identity);
  const random: Random = {
    next: () => draw() / TWO_32,
    int(limit) {
      if (!Number.isInteger(limit) || limit < 1 || limit > TWO_32) {
        throw new RangeError(`the limit must be a whole number from 1 to 2^32, not ${limit}`);
      }
      // Draws from the incomplete last stretch are thrown away: a plain remainder would favour small numbers.
      const usable = TWO_32 - (TWO_32 % limit);
      for (;;) {
        const value = draw();
        if (value < usable) return value % limit;
      }
    },
    pick(list) {
      if (list.length === 0) throw new RangeError('nothing to pick from');
      return list[random.int(list.length)]!;
    },
    chance: (probability) => random.next() < probability,
    shuffle(list) {
      const copy = [...list];
      for (let i = copy.length - 1; i > 0; i--) {
        const j = random.int(i + 1);
        [copy[i], copy[j]] = [copy[j]!, copy[i]!];
      }
      return copy;
    },
    // The separator keeps fork('a').fork('b') apart from fork('ab').
    fork: (name) => createRandom(`${identity}\0${name}`),
  };
  return random;
}

/** Uniform whole numbers in [0, 2^32). */
function sfc32(seed: string): () => number {
  const expand = splitmix32(fnv1a(seed));
  let [a, b, c] = [expand(), expand(), expand()];
  let counter = 1;
  const draw = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  // The first values still show how close two seeds were.
  for (let i = 0; i < 12; i++) draw();
  return draw;
}

function splitmix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
