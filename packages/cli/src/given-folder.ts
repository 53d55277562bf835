/** The folder that an argument names; `tiny` is that of the embedded model. A folder of that name is `./tiny`. */
export const givenFolder = async (given: string): Promise<string> =>
  given === 'tiny' ? (await import('@weft/tiny')).tinyFolder() : given;
