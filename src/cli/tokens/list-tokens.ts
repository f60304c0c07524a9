import { listTokens } from '../../operations/tokens/list-tokens.js';
import { isExpired } from '../../operations/tokens/token-record.js';
import { relativeText, timeText } from '../../time-text.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';
import { tokenToJson } from './token-json.js';

/** Shows all tokens, those that have expired or are damaged too. */
export async function showTokens(context: CliContext): Promise<void> {
  const { out, colors } = context;
  const tokens = await context.withStore(listTokens);
  if (context.json) return out.json({ tokens: tokens.map(tokenToJson) });
  if (tokens.length === 0) {
    out.line('No tokens. "etcron tokens create <name> --role admin" makes one.');
    return out.note(
      colors.dim('Until then the API listens on loopback addresses only, and asks nobody there.'),
    );
  }
  const nowMs = context.clock.now();
  const rows = tokens.map(({ id, record, problem }) => {
    if (record === null) return [id, { text: `damaged: ${problem}`, paint: colors.red }, '', '', '', ''];
    const { name, role, createdAt, createdBy, expiresAt } = record;
    const expiry = expiresAt === null ? 'never' : relativeText(expiresAt, nowMs);
    const expires = isExpired(record, nowMs) ? { text: `expired ${expiry}`, paint: colors.red } : expiry;
    return [id, name, role, timeText(createdAt), createdBy, expires];
  });
  out.line(renderTable(context, ['ID', 'NAME', 'ROLE', 'CREATED', 'BY', 'EXPIRES'], rows));
}
