import { fileURLToPath } from 'node:url';

/** Folder of the embedded model, in the form of a Hugging Face checkpoint. */
export const tinyFolder = (): string => fileURLToPath(new URL('../model', import.meta.url));
