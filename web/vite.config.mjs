/** Builds the page into dist/web, with a compressed copy of each file beside it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { defineConfig } from 'vite';

let outDir;
/** Workers send these copies as they are, so that no request costs them a compression. */
const compressedCopies = {
  name: 'compressed-copies',
  apply: 'build',
  configResolved({ root, build }) {
    outDir = resolve(root, build.outDir);
  },
  closeBundle() {
    for (const file of readdirSync(outDir, { recursive: true, encoding: 'utf8' })) {
      if (!/\.(html|js|css|svg)$/.test(file)) continue;
      const content = readFileSync(join(outDir, file));
      writeFileSync(join(outDir, `${file}.gz`), gzipSync(content, { level: 9 }));
      const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
      writeFileSync(join(outDir, `${file}.br`), brotliCompressSync(content, { params: quality }));
    }
  },
};

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: fileURLToPath(new URL('../dist/web', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    // The policy of the page allows no inline code, data: URLs of scripts among it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  plugins: [compressedCopies],
});
