import { availableParallelism, cpus } from 'node:os';

/** Processors of the machine. Where the system does not list them, as many as this process may use. */
export const processors = (): number => Math.max(cpus().length, availableParallelism());
