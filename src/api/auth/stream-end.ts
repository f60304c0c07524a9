import type { FastifyReply } from 'fastify';
import type { Clock, Timer } from '../../clock.js';
import type { Access } from './access.js';
import { whenGone } from '../when-gone.js';
import type { TokenRegistry } from './token-registry.js';

/** An answer that has not begun is looked at again after this. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Cuts an answer that goes on when the token it was given for is revoked or expires, or, where there was none, when the first
 * token is made. One that has not begun is given the time to end: what it does was allowed. It may be a stream, though, that is
 * about to begin.
 */
export function endWithToken(
  reply: FastifyReply,
  { tokenId, expiresAt }: Access,
  tokens: TokenRegistry,
  clock: Clock,
): void {
  const { raw } = reply;
  if (raw.destroyed) return;
  let timer: Timer | null = null;
  const cutIn = (delayMs: number): void => {
    timer?.cancel();
    timer = clock.setTimer(delayMs, cut);
  };
  const cut = (): void => {
    if (!raw.headersSent) cutIn(LOOK_AGAIN_MS);
    else if (!raw.writableEnded) raw.destroy();
  };
  const forget = tokens.onChange(() => {
    if (!tokens.stillCounts(tokenId)) cut();
  });
  if (expiresAt !== null) cutIn(Math.max(0, expiresAt - clock.now()));
  whenGone(raw, () => {
    forget();
    timer?.cancel();
  });
}
