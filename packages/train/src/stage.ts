import type { UpdateRule } from '@weft/autodiff';
import { ConfigError } from '@weft/errors';

/** Learning rate of the parameters that match; the first rule that matches counts. */
export interface RateRule {
  /** Part (`encoder`, `connector`, `fusion`, `backbone`) or glob over paths (`**.self_attn.*`). */
  readonly match: string;
  readonly learningRate: number;
  readonly weightDecay?: number;
}

/** A stage of training, as data: which parameters learn, how fast, how long. */
export interface Stage {
  readonly name: string;
  /** Parts or globs over paths that learn; everything else is frozen and costs no backward pass. */
  readonly trainable: readonly string[];
  /** Parts or globs taken out of `trainable` again. */
  readonly frozen?: readonly string[];
  /**
   * Parts or globs over paths whose matrices learn by Muon; everything else learns by AdamW. Meant for the linear
   * layers of transformer blocks and connectors, not for embeddings. A weight decay and a learning rate that suit AdamW
   * suit Muon as well.
   */
  readonly muon?: readonly string[];
  readonly steps: number;
  /** Samples of one forward and backward pass. */
  readonly batchSize: number;
  /** Passes whose gradients add up before one update. Default 1. */
  readonly accumulate?: number;
  /**
   * Updates whose samples are drawn together and sorted by length, so that a batch holds samples of like length and
   * little padding. Default 1.
   */
  readonly lengthWindow?: number;
  readonly learningRate: number;
  readonly rates?: readonly RateRule[];
  readonly schedule?: 'cosine' | 'constant';
  /** Steps of linear warm-up; the first update already has `1 / warmupSteps` of the rate. Default 0. */
  readonly warmupSteps?: number;
  /** Share of the rate that the cosine ends at. Default 0. */
  readonly floorRatio?: number;
  /** Decoupled decay of tensors with two or more axes. Default 0. */
  readonly weightDecay?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
  /** Of Muon. Default 0.95. */
  readonly momentum?: number;
  /** Largest gradient norm; `null` does not clip. Default 1. */
  readonly maxGradientNorm?: number | null;
  readonly clip?: 'global' | 'group';
}

/**
 * Factor on the learning rate at an update.
 *
 * @param step 1 at the first update
 */
export function scheduleFactor(stage: Stage, step: number): number {
  const { schedule = 'cosine', warmupSteps = 0, floorRatio = 0, steps } = stage;
  if (step <= warmupSteps) return step / warmupSteps;
  if (schedule === 'constant') return 1;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  return floorRatio + ((1 - floorRatio) * (1 + Math.cos(Math.PI * progress))) / 2;
}

/** Longer than any path; JavaScript compiles no expression of 100,000 characters. */
const longestPattern = 1000;

/** `*` matches within one path segment, `**` any number of segments. */
export function globToRegExp(glob: string): RegExp {
  const source = glob
    .split('.')
    .map((segment) =>
      segment === '**' ? '.*' : segment.replace(/[\\^$+?()[\]{}|]/g, '\\$&').replaceAll('*', '[^.]*'),
    )
    .join('\\.')
    .replaceAll('.*\\.', '(?:.*\\.)?')
    .replaceAll('\\..*', '(?:\\..*)?');
  return new RegExp(`^${source}$`);
}

/** A parameter that may learn: its path, its shape, and the part it belongs to. */
export interface StageParameter {
  readonly path: string;
  readonly shape: readonly number[];
  /** `encoder`, `connector`, `arranger`, `backbone`, or `fusion`: cross-attention layers that were added to the backbone. */
  readonly part: string;
}

export interface PlannedParameter extends StageParameter {
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Parameters of one rate and part share a group. */
  readonly group: string;
  readonly rule: UpdateRule;
}

const matches = (pattern: string, { path, part }: StageParameter): boolean =>
  pattern === part || globToRegExp(pattern).test(path);

/**
 * The parameters that learn in a stage, with their rates. A rate of 0 freezes.
 *
 * @throws ConfigError if a pattern matches nothing or is too long, or nothing would learn
 */
export function planStage(stage: Stage, parameters: readonly StageParameter[]): PlannedParameter[] {
  const patterns = [
    ...stage.trainable,
    ...(stage.frozen ?? []),
    ...(stage.muon ?? []),
    ...(stage.rates ?? []).map((rule) => rule.match),
  ];
  for (const pattern of patterns) {
    if (pattern.length > longestPattern)
      throw new ConfigError({
        message: `A pattern has ${pattern.length} characters, expected at most ${longestPattern}: '${pattern.slice(0, 40)}…'.`,
        where: `stage '${stage.name}'`,
      });
    if (!parameters.some((parameter) => matches(pattern, parameter)))
      throw new ConfigError({
        message: `'${pattern}' matches no parameter.`,
        where: `stage '${stage.name}'`,
        hint: `Parts: ${[...new Set(parameters.map((p) => p.part))].join(', ')}. Paths look like '${parameters[0]?.path ?? ''}'.`,
      });
  }
  const planned = parameters.flatMap((parameter): PlannedParameter[] => {
    const learns = stage.trainable.some((pattern) => matches(pattern, parameter));
    if (!learns || (stage.frozen ?? []).some((pattern) => matches(pattern, parameter))) return [];
    const rule = (stage.rates ?? []).find(({ match }) => matches(match, parameter));
    const learningRate = rule?.learningRate ?? stage.learningRate;
    if (learningRate === 0) return [];
    const weightDecay = parameter.shape.length < 2 ? 0 : (rule?.weightDecay ?? stage.weightDecay ?? 0);
    const isMuon =
      parameter.shape.length === 2 && (stage.muon ?? []).some((pattern) => matches(pattern, parameter));
    const group = rule ? rule.match : parameter.part;
    return [{ ...parameter, learningRate, weightDecay, group, rule: isMuon ? 'muon' : 'adamw' }];
  });
  if (planned.length === 0)
    throw new ConfigError({
      message: 'Nothing would learn.',
      where: `stage '${stage.name}'`,
      hint: 'Widen trainable, or give a learning rate above 0.',
    });
  return planned;
}
