import { EtcronError } from '../../errors.js';
import { plural } from '../../plural.js';
import type { CliContext } from '../context.js';

/** Says them; with `strict` throws ETCRON_WARNINGS instead. */
export function reportWarnings(context: CliContext, warnings: readonly string[], strict: boolean): void {
  if (!strict) for (const line of warnings) context.out.warn(line);
  else if (warnings.length > 0)
    throw new EtcronError(
      'ETCRON_WARNINGS',
      `${plural(warnings.length, 'warning')}:\n${warnings.join('\n')}`,
      {
        hint: 'Mend the jobs, or leave out --strict.',
      },
    );
}
