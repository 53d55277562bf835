export const count: number;
/** Whether the reference accepts case i. */
export function isAccepted(i: number): boolean;
