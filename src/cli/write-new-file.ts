import { writeFile } from 'node:fs/promises';
import { EtcronError, messageOf } from '../errors.js';
import { quote } from '../jobs/index.js';

/** Rejects with ETCRON_FILE_EXISTS rather than overwrite, and with ETCRON_FILE_UNWRITABLE. */
export async function writeNewFile(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      throw new EtcronError('ETCRON_FILE_EXISTS', `${quote(path)} exists and was left as it is`, {
        hint: 'Choose another name, or remove the file first.',
        details: { path },
      });
    }
    throw new EtcronError('ETCRON_FILE_UNWRITABLE', `${quote(path)} cannot be written: ${messageOf(error)}`, {
      hint: 'Look at the folder and its permissions, or write to stdout.',
      details: { path },
      cause: error,
    });
  }
}
