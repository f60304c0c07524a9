/** The page, where this installation has it built. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { dashboardPlugin } from '../../dashboard/dashboard-plugin.js';

const PAGE_DIR = fileURLToPath(new URL('../../web', import.meta.url));

export async function servePage(app: FastifyInstance): Promise<void> {
  if (!existsSync(PAGE_DIR)) return;
  await app.register(dashboardPlugin, { pageDir: PAGE_DIR });
}
