/** The `share`-th percentile (0–1) by the nearest rank, of values in any order; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length / 2;
  return sorted.length === 0 ? NaN : (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}

/** p50, p99 and max as `<name>P50Ms`, `<name>P99Ms`, `<name>MaxMs`. */
export function spread(name: string, valuesMs: readonly number[]): Record<string, number> {
  return {
    [`${name}P50Ms`]: percentile(valuesMs, 0.5),
    [`${name}P99Ms`]: percentile(valuesMs, 0.99),
    [`${name}MaxMs`]: percentile(valuesMs, 1),
  };
}

export interface Line {
  /** The value at 0. */
  readonly intercept: number;
  /** Change of the value per 1 of x. */
  readonly slope: number;
}

/** The straight line with the least squares of distances, through (x, y) points; NaN when all x are the same. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): Line {
  const count = points.length;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const slope = variance === 0 ? NaN : covariance / variance;
  return { slope, intercept: meanY - slope * meanX };
}
