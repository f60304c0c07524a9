import type { PeerContext } from './peer/peer.js';
import { WORKERS, type Figures, type ScenarioContext } from './scenario.js';

/** What the peer makes of the same work, after etcron's workers have ended; nothing where there is no peer. */
export async function comparePeer(
  { peer, say }: Pick<ScenarioContext, 'peer' | 'say'>,
  scenario: string,
  work: Pick<PeerContext, 'jobs' | 'seconds'>,
): Promise<{ peer?: Figures }> {
  const figures = await peer?.run(scenario, { ...work, workers: WORKERS, say });
  return figures ? { peer: figures } : {};
}
