/** Why bytes are no picture of their format, in words that follow the name of the format and `that`. */
export class DamageError extends Error {}
