import { revokeToken } from '../../operations/tokens/revoke-token.js';
import type { CliContext } from '../context.js';

/** Takes a token away, and says so where it was the last one. */
export async function showRevocation(context: CliContext, idOrName: string): Promise<void> {
  const { id, name, wasLast } = await context.withOperations((operations) =>
    revokeToken(operations, idOrName),
  );
  if (context.json) context.out.json({ revoked: id, name, wasLast });
  else context.out.line(`revoked ${id}${name === null ? '' : ` (${name})`}`);
  if (wasLast) {
    context.out.warn(
      'that was the last token: an API on a loopback address now asks nobody for one, and any other refuses everybody',
    );
  }
}
