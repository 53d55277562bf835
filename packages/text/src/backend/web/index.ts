/** The address of a file in a folder. */
export const joinPath = (folder: string, name: string): string => `${folder.replace(/\/+$/, '')}/${name}`;

/** The text of a file on a server; `undefined` if there is no such file. */
export async function readTextFile(file: string): Promise<string | undefined> {
  // Servers of apps answer whoever would take any type with their page in the place of a missing file.
  const response = await fetch(file, { headers: { accept: 'application/json, text/plain' } });
  if (response.ok) return response.text();
  if ([404, 410].includes(response.status)) return undefined;
  throw new Error(`${file} answered with the status ${response.status}`);
}
/** A server does not tell what a folder holds. */
export const listFolder = async (_folder: string): Promise<readonly string[]> => [];

export { startRenderThread } from './render-thread.js';
