/* Points of curves: pure functions of numbers. */

const WEIGHT = 0.8; // of what was before, in a smoothed curve

/** Exponential moving average that does not begin at zero; gaps stay gaps. */
export function smoothed(values) {
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    if (value === null) {
      return null;
    }
    mean = WEIGHT * mean + (1 - WEIGHT) * value;
    weight = WEIGHT * weight + (1 - WEIGHT);
    return mean / weight;
  });
}

/** Values as a logarithmic scale can show them: what is not above zero becomes a gap. */
export function scaled(values, isLogarithmic) {
  return isLogarithmic ? values.map((value) => (value > 0 ? value : null)) : values;
}

/** Curves of {steps, values} as the columns that uPlot wants: all steps, then each curve's values. */
export function merged(curves) {
  const steps = [...new Set(curves.flatMap((curve) => curve.steps))].sort((a, b) => a - b);
  const columns = curves.map((curve) => {
    const known = new Map(curve.steps.map((step, place) => [step, curve.values[place]]));
    return steps.map((step) => known.get(step) ?? null);
  });
  return [steps, ...columns];
}
