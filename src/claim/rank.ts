/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998): every node ranks all candidates for a firing in the same order
 * without talking to the others, the ranks spread evenly over firings, and a node that comes or goes moves only its own.
 * The order is a hint that saves lost races; the claim transaction alone decides.
 */

/** FNV-1a, 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** A finaliser that lets each input bit change half of the output bits (MurmurHash3's). */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export interface Candidate {
  readonly nodeId: string;
  /** `hashText(nodeId)`, kept because it is needed for every firing. */
  readonly hash: number;
}

/** How many of `candidates` come before `nodeId` for this firing: 0 is the first to claim; -1 when it is none of them. */
export function rankOf(runId: string, nodeId: string, candidates: readonly Candidate[]): number {
  const own = candidates.find((candidate) => candidate.nodeId === nodeId);
  if (own === undefined) return -1;
  const runHash = hashText(runId);
  const score = mix(runHash ^ own.hash);
  let rank = 0;
  for (const other of candidates) {
    if (other === own) continue;
    const otherScore = mix(runHash ^ other.hash);
    if (otherScore > score || (otherScore === score && other.nodeId < nodeId)) rank += 1;
  }
  return rank;
}
