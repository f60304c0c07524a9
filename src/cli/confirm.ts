import { EtcronError } from '../errors.js';
import type { CliContext } from './context.js';

/** Asks on the terminal; only `y` and `yes` agree. Without a terminal it rejects with ETCRON_USAGE: pass the flag. */
export async function confirm(
  { environment, out }: CliContext,
  question: string,
  flag: string,
): Promise<boolean> {
  const { stdin, stderr } = environment;
  if (stdin.isTTY !== true) {
    throw new EtcronError('ETCRON_USAGE', 'this needs a confirmation, and there is no terminal to ask on', {
      hint: `Pass ${flag} to confirm.`,
    });
  }
  stderr.write(`${out.colors.bold(question)} [y/N] `);
  let answer = '';
  for await (const chunk of stdin) {
    answer += Buffer.from(chunk).toString('utf8');
    if (answer.includes('\n')) break;
  }
  return /^y(es)?$/i.test(answer.trim());
}
