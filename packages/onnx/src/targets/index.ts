import type { Target } from '../target.js';
import { cpu } from './cpu.js';
import { reference } from './reference.js';
import { webgpu } from './webgpu.js';

/** All targets by name. */
export const targets = { cpu, reference, webgpu } as const satisfies Readonly<Record<string, Target>>;
export type TargetName = keyof typeof targets;
