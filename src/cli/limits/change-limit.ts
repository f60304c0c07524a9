import * as limits from '../../operations/change-limit.js';
import type { CliContext } from '../context.js';

/** Gives a limit its size, and says what it was. */
export async function setLimit(context: CliContext, name: string, size: number): Promise<void> {
  const before = await context.withOperations((cluster) => limits.setLimit(cluster, name, size));
  if (context.json) context.out.json({ name, size, before });
  else context.out.line(`${name}: ${size}${before === null ? '' : ` (was ${before})`}`);
}

/** Takes a limit away. */
export async function deleteLimit(context: CliContext, name: string, force: boolean): Promise<void> {
  await context.withOperations((cluster) => limits.deleteLimit(cluster, name, { force }));
  if (context.json) context.out.json({ deleted: name });
  else context.out.line(`deleted ${name}`);
}
