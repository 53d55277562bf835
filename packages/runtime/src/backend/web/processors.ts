/** Processors of the machine, as far as the browser tells. */
export const processors = (): number =>
  (globalThis as { readonly navigator?: { readonly hardwareConcurrency?: number } }).navigator
    ?.hardwareConcurrency ?? 1;
