import type { Scenario } from '../scenario.js';
import { apiLoad } from './api-load.js';
import { burst } from './burst.js';
import { cost } from './cost.js';
import { drainBurst } from './drain-burst.js';
import { etcdCeiling } from './etcd-ceiling.js';
import { everySecondCommand } from './every-second-command.js';
import { everySecondHandler } from './every-second-handler.js';
import { growth } from './growth.js';
import { leaderKill } from './leader-kill.js';
import { manyJobs } from './many-jobs.js';
import { memory } from './memory.js';
import { outputFlood } from './output-flood.js';
import { saturation } from './saturation.js';
import { start } from './start.js';
import { sustained } from './sustained.js';
import { workerKill } from './worker-kill.js';

export const SCENARIOS: readonly Scenario[] = [
  etcdCeiling,
  everySecondHandler,
  everySecondCommand,
  burst,
  sustained,
  saturation,
  leaderKill,
  workerKill,
  manyJobs,
  cost,
  start,
  drainBurst,
  outputFlood,
  apiLoad,
  memory,
  growth,
];
