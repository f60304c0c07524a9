/** Makes the command of a build executable. npm does so when it installs a package; in a clone `npx etcron` runs this very file. */
import { chmodSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function makeExecutable() {
  chmodSync(fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)), 0o755);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) makeExecutable();
