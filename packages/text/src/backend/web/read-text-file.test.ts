import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { joinPath, readTextFile } from './index.js';

let server: Server;
let base: string;
beforeAll(async () => {
  server = createServer(({ url, headers }, response) => {
    if (url === '/there.json') return response.end('{"grüße": 1}');
    const takesPages = /\*\/\*|text\/html/.test(headers.accept ?? '*/*');
    if (url === '/app/missing.json' && takesPages) return response.end('<!doctype html>');
    return response.writeHead(url === '/broken.json' ? 500 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => server.close());

it('reads files of a server, and tells those that are missing from a server that fails', async () => {
  expect(await readTextFile(joinPath(base, 'there.json'))).toBe('{"grüße": 1}');
  expect(await readTextFile(joinPath(base, 'missing.json'))).toBeUndefined();
  expect(await readTextFile(joinPath(`${base}app`, 'missing.json'))).toBeUndefined();
  await expect(readTextFile(joinPath(base, 'broken.json'))).rejects.toThrow('status 500');
});
