import { defineConfig } from 'vitest/config';

// Four projects: `unit` needs nothing but Node, `etcd` runs real etcd processes, `cluster` adds real worker
// processes, `page` a real browser. Two files run at a time, of `cluster` three: the machine may be small, and they bring up
// servers, but mostly they wait.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          maxWorkers: 2,
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.etcd.test.ts', 'test/cluster/**', 'test/page/**', 'node_modules/**'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'etcd',
          sequence: { groupOrder: 1 },
          include: ['test/**/*.etcd.test.ts'],
          exclude: ['test/cluster/**', 'node_modules/**'],
          globalSetup: ['test/support/global-setup.ts'],
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'cluster',
          sequence: { groupOrder: 2 },
          include: ['test/cluster/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          maxWorkers: 3,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'page',
          sequence: { groupOrder: 3 },
          include: ['test/page/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          maxWorkers: 2,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
