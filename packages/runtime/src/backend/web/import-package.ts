/** Imports a package that a saved configuration names: an import map of the page says where it lies. */
export const importPackage = async (
  name: string,
  _from?: string,
): Promise<Readonly<Record<string, unknown>>> =>
  (await import(/* @vite-ignore */ name)) as Record<string, unknown>;
