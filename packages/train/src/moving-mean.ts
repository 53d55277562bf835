/** Share of the mean that stays at each value. */
const kept = 0.95;

/**
 * A running mean that forgets: each value counts 0.95 times as much as the next one. It is divided by the weights that have
 * been given out, as Adam's moments are, so that the first values count no more than their weight; a mean that starts at
 * the first value would hang on to it for dozens of steps.
 */
export function movingMean(): (value: number) => number {
  let [sum, weight] = [0, 0];
  return (value) => {
    sum = kept * sum + (1 - kept) * value;
    weight = kept * weight + (1 - kept);
    return sum / weight;
  };
}
