import type { Role } from '../../operations/actor.js';
import { createToken } from '../../operations/tokens/create-token.js';
import { timeText } from '../../time-text.js';
import type { CliContext } from '../context.js';
import { tokenToJson } from './token-json.js';

/** Makes a token and shows it. The token alone goes to stdout, so that it can be piped to where it is kept. */
export async function showCreatedToken(
  context: CliContext,
  name: string,
  { role, expires }: { readonly role: Role; readonly expires?: number },
): Promise<void> {
  const { id, text, record } = await context.withOperations((operations) =>
    createToken(operations, { name, role, lifetimeMs: expires ?? null }),
  );
  const { out, colors } = context;
  if (context.json) return out.json({ ...tokenToJson({ id, record, problem: null }), token: text });
  const end = record.expiresAt === null ? 'until it is revoked' : `until ${timeText(record.expiresAt)}`;
  out.note(colors.dim(`The token ${id} of ${name} (${role}) counts ${end}. It is shown only this once:`));
  out.line(text);
}
