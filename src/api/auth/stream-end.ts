import type { FastifyReply } from 'fastify';
import type { Clock, Timer } from '../../clock.js';
import type { Access } from './access.js';
import type { TokenRegistry } from './token-registry.js';

/**
 * Cuts an answer that is still going on when the token it was given for is revoked or expires, or, where there was none,
 * when the first token is made. An answer that has not begun yet is left to end: what it does was allowed.
 */
export function endWithToken(
  reply: FastifyReply,
  { tokenId, expiresAt }: Access,
  tokens: TokenRegistry,
  clock: Clock,
): void {
  const { raw } = reply;
  const cut = (): void => {
    if (raw.headersSent && !raw.writableEnded) raw.destroy();
  };
  const forget = tokens.onChange(() => {
    if (!tokens.stillCounts(tokenId)) cut();
  });
  const timer: Timer | null =
    expiresAt === null ? null : clock.setTimer(Math.max(0, expiresAt - clock.now()), cut);
  raw.once('close', () => {
    forget();
    timer?.cancel();
  });
}
