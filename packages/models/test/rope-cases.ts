/** A text section with a random rope section, and the length of a text. */
export interface RopeCase {
  readonly section: Readonly<Record<string, unknown>>;
  readonly length: number;
}

const families = ['llama', 'mistral', 'qwen2', 'olmo2', 'aria_text', 'phi', 'persimmon', 'phi3'];
const known = ['default', 'linear', 'dynamic', 'yarn', 'longrope', 'llama3', 'proportional'];
const types = [...known, 'su', 'mrope', 'unheard'];
const headSizes = [6, 8, 10, 12, 16, 20, 32, 64, 96, 128, 5, 7, 9];
const factors = [1, 1.5, 2, 3.7, 4, 8, 32.5, 0.5];
const lengths = [1, 5, 16, 17, 24, 63, 64, 65, 100, 2048, 2049, 4096, 5000, 40000];

/** Park and Miller's generator, as `tools/golden/rope.py` has it. */
function drawFrom(seed: number) {
  let state = seed;
  const pick = (count: number): number => {
    state = (state * 48271) % 2147483647;
    return (state >> 8) % count;
  };
  return {
    pick,
    of: <T>(values: readonly T[]): T => values[pick(values.length)]!,
    sometimes: (oneIn: number): boolean => pick(oneIn) === 0,
  };
}

/** The case of a number: the very one that `case` of `tools/golden/rope.py` draws. */
export function drawRopeCase(index: number): RopeCase {
  const draw = drawFrom(1000 + 7919 * index);
  const { pick, of, sometimes } = draw;
  for (let i = 0; i < 3; i++) pick(2);
  const family = of(families);
  let kind = sometimes(12) ? of(types) : of(known);
  if (family === 'phi3' && !sometimes(5)) kind = of(['default', 'longrope', 'longrope', 'yarn']);
  if (family === 'phi3' && kind === 'su') kind = 'yarn';
  const heads = 1 + pick(5);
  const size = of(headSizes);
  const section: Record<string, unknown> = {
    model_type: family,
    num_attention_heads: heads,
    hidden_size: heads * size,
  };
  if (['llama', 'mistral', 'qwen2'].includes(family) && sometimes(4))
    Object.assign(section, { head_dim: size, hidden_size: heads * 6 });
  const spelling = of(['rope_type', 'rope_type', 'type']);
  const rope: Record<string, unknown> = sometimes(10) ? {} : { [spelling]: kind };
  const theta = of([3, 50, 500, 10000, 12345.678, 1e6, 5e6]);
  if (!sometimes(4)) (sometimes(2) ? rope : section)['rope_theta'] = theta;
  if (sometimes(3)) {
    const holder = sometimes(2) ? rope : section;
    holder['partial_rotary_factor'] = of([0.25, 0.4, 0.5, 0.6, 0.75, 1]);
  }
  if (!sometimes(4)) section['max_position_embeddings'] = of([16, 64, 100, 4096]);
  if (sometimes(2)) {
    const holder = sometimes(3) ? section : rope;
    holder['original_max_position_embeddings'] = of([8, 16, 24, 64, 2048]);
  }
  drawFields(rope, draw);
  const given = rope['partial_rotary_factor'] ?? section['partial_rotary_factor'];
  const turning = ['phi', 'persimmon', 'phi3'].includes(family)
    ? Math.trunc(size * Number(given ?? (family === 'phi3' ? 1 : 0.5)))
    : size;
  const count = Math.floor(turning / 2) + (sometimes(15) ? 1 : 0);
  rope['short_factor'] = Array.from({ length: count }, () => 1 + pick(64) / 64);
  rope['long_factor'] = Array.from({ length: count }, () => 1 + pick(512) / 64);
  section[sometimes(3) ? 'rope_scaling' : 'rope_parameters'] = rope;
  return { section, length: of(lengths) };
}

/** Fields of several types, as files have them that were written by hand. */
function drawFields(rope: Record<string, unknown>, { of, sometimes }: ReturnType<typeof drawFrom>): void {
  if (!sometimes(8)) {
    rope['factor'] = of(factors);
    if (sometimes(12)) rope['factor'] = null;
  }
  if (sometimes(4)) rope['attention_factor'] = of([0.8, 1, 1.25, null]);
  if (sometimes(2)) rope['beta_fast'] = of([4, 6.5, 16, 32, null]);
  if (sometimes(2)) rope['beta_slow'] = of([0.5, 1, 2.25, null]);
  if (sometimes(2)) rope['mscale'] = of([0.7, 1, 1.3, 0]);
  if (sometimes(2)) rope['mscale_all_dim'] = of([0.4, 1, 0]);
  if (sometimes(2)) rope['truncate'] = of([true, false]);
  const low = of([1, 0.5, 2]);
  if (!sometimes(10)) Object.assign(rope, { low_freq_factor: low, high_freq_factor: low * of([1.5, 4, 8]) });
}
