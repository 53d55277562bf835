import { describe, expect, it } from 'vitest';
import { FileError, fileError, InputError, isWeftError, withFileErrors } from './index.js';

const systemError = (code: string, syscall = 'open'): Error =>
  Object.assign(new Error(`${code}: something, ${syscall} '/a/b'`), { code, syscall });

describe('an error of the file system', () => {
  it.each([
    ['ENOSPC', /The disk is full \(ENOSPC\)\.\n {2}at \/a\/b\n {2}Free some space/],
    ['EROFS', /read-only \(EROFS\)/],
    ['ENOTDIR', /A file stands where a folder must be \(ENOTDIR\)/],
    ['EISDIR', /A folder stands where a file must be/],
    ['ENAMETOOLONG', /too long \(ENAMETOOLONG\)/],
    ['ERR_INVALID_ARG_VALUE', /NUL character/],
    ['EXDEV', /The file system refuses open \(EXDEV\)\.\n {2}at \/a\/b\n {2}Check/],
  ])('%s says what it means, where, and what to do', (code, message) => {
    const cause = systemError(code);
    const error = fileError(cause, '/a/b') as FileError;
    expect(error).toBeInstanceOf(FileError);
    expect(isWeftError(error)).toBe(true);
    expect(error).toMatchObject({ code: 'WEFT_FILE', reason: code, where: '/a/b', cause });
    expect(error.message).toMatch(message);
  });

  it('is known by its message where its code was lost on the way from another thread', () => {
    const lost = structuredClone(new Error("EACCES: permission denied, open '/a/b'"));
    expect(fileError(lost, '/c')).toMatchObject({ code: 'WEFT_FILE', reason: 'EACCES', where: '/c' });
    const other = new Error('ERROR: it is late, open the door');
    expect(fileError(other, '/c')).toBe(other);
    const plain = new Error('Error: a, b');
    expect(fileError(plain, '/c')).toBe(plain);
  });

  it('is told from all other errors, which stay as they are', async () => {
    for (const other of [
      new InputError('no'),
      new TypeError('x is not a function'),
      Object.assign(new Error('no package'), { code: 'ERR_MODULE_NOT_FOUND' }),
      Object.assign(new Error('fetch'), { code: 'EWHAT' }),
      'a text',
    ])
      expect(fileError(other, '/a')).toBe(other);
    await expect(withFileErrors('/a', () => Promise.reject(new RangeError('far')))).rejects.toThrow(
      RangeError,
    );
    await expect(withFileErrors('/a', () => Promise.reject(systemError('EIO')))).rejects.toThrow(FileError);
    expect(await withFileErrors('/a', async () => 3)).toBe(3);
  });
});
