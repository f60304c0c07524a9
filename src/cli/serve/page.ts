/** The page, where this installation has it built. */
import type { FastifyInstance } from 'fastify';
import { dashboardPlugin } from '../../dashboard/dashboard-plugin.js';
import { builtPageDir } from '../../dashboard/page-dir.js';

export async function servePage(app: FastifyInstance): Promise<void> {
  const pageDir = builtPageDir();
  if (pageDir !== null) await app.register(dashboardPlugin, { pageDir });
}
