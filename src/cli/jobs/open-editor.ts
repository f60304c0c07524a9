import { execa } from 'execa';
import { EtcronError } from '../../errors.js';
import { quote } from '../../jobs/index.js';

/** Resolves when the editor was closed; rejects with ETCRON_EDITOR_FAILED when it could not be started, or failed. */
export async function openEditor(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const editor = env.VISUAL || env.EDITOR || 'vi';
  // A Ctrl-C in the editor is meant for the editor.
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  try {
    // Through the shell, since the variable may hold options: "code --wait".
    const { exitCode, signal } = await execa('/bin/sh', ['-c', `${editor} "$1"`, 'editor', path], {
      stdio: 'inherit',
      reject: false,
    });
    if (exitCode === 0) return;
    const how = exitCode === undefined ? `was ended by ${signal ?? 'a signal'}` : `ended with ${exitCode}`;
    throw new EtcronError('ETCRON_EDITOR_FAILED', `the editor ${quote(editor)} ${how}`, {
      hint: 'Set VISUAL or EDITOR to an editor that can be started here and exits with 0.',
      details: { editor },
    });
  } finally {
    process.off('SIGINT', ignore);
  }
}
