/**
 * A cluster for the tests of a program's own jobs, with a clock that the test moves.
 *
 * @module etcron/testing
 */
export {
  createTestCluster,
  type TestCluster,
  type TestClusterOptions,
  type TestRun,
  type TestWorkerOptions,
} from './test-cluster.js';
export type { FakeCall, FakeResult, FakeTask } from './fake-task.js';
