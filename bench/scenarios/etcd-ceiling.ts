import { RAW_MEASURES } from '../raw-clients.js';
import { WORKERS, type Scenario } from '../scenario.js';

/** The raw limit that the other scenarios are set in relation to. */
export const etcdCeiling: Scenario = {
  name: 'etcd-ceiling',
  title: `the same etcd, ${WORKERS} client processes, no etcron`,
  measures: RAW_MEASURES,
  targets: [],

  async run({ rawLimits }) {
    return { figures: await rawLimits(WORKERS), problems: [] };
  },
};
