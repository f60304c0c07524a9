/** How high a rate can be: one step after another, up to the first that is too much. */
import type { SeriesPoint } from './scenario.js';

export interface Climb {
  /** The highest rate that was carried; 0 when none was. */
  readonly highest: number;
  /** Of each step that gave figures, the one that was too much included. */
  readonly points: readonly SeriesPoint[];
}

export interface Step {
  readonly figures: SeriesPoint['figures'] | null;
  readonly isCarried: boolean;
}

/** A step that is too much is measured once more, since what else a machine does may have been the reason. */
const TRIES = 2;

/** Rates ascend. */
export async function climb(
  rates: readonly number[],
  measure: (rate: number) => Promise<Step>,
): Promise<Climb> {
  const points: SeriesPoint[] = [];
  let highest = 0;
  for (const rate of rates) {
    let step = await measure(rate);
    for (let tries = 1; !step.isCarried && tries < TRIES; tries += 1) step = await measure(rate);
    const { figures, isCarried } = step;
    if (figures !== null) points.push({ x: rate, figures });
    if (!isCarried) break;
    highest = rate;
  }
  return { highest, points };
}
