import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UnsupportedError } from '@weft/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { files, writeCheckpoint, writeFileAtomic, writeSafetensors } from './index.js';

const content = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) % 251);
let server: Server;
let base: string;

/** `/ranges/` answers ranges, `/whole/` ignores them, `/broken/` fails, `/app/` has a page for all that is missing. */
beforeAll(async () => {
  server = createServer(({ url = '', method, headers }, response) => {
    if (url.startsWith('/broken/')) return response.writeHead(503).end();
    if (url.startsWith('/app/') && /\*\/\*|text\/html/.test(headers.accept ?? '*/*'))
      return response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>');
    if (url === '/whole/a.txt') return response.end('wört');
    if (!url.endsWith('/a.safetensors')) return response.writeHead(404).end();
    const [, start, end] = /bytes=(\d+)-(\d+)/.exec(headers.range ?? '') ?? [];
    const isPart = url.startsWith('/ranges/') && start !== undefined;
    const body = isPart ? content.subarray(Number(start), Number(end) + 1) : content;
    response.writeHead(isPart ? 206 : 200, { 'content-length': body.byteLength });
    return response.end(method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

describe('files on a server', () => {
  it.each(['ranges', 'whole'])('are read piece by piece, %s', async (folder) => {
    const file = await files.open(files.join(`${base}/${folder}`, 'a.safetensors'));
    expect(file.size).toBe(1000);
    const into = new Uint8Array(300);
    expect(await file.read(into, 13)).toBe(300);
    expect(into).toEqual(content.slice(13, 313));
    expect(await file.read(into, 900)).toBe(100);
    expect(into.subarray(0, 100)).toEqual(content.slice(900));
    expect(await file.read(into, 1000)).toBe(0);
    await file.close();
  });

  it('are told from folders by their type, and missing ones from servers that fail', async () => {
    expect(await files.kindOf(`${base}/ranges/a.safetensors`)).toBe('file');
    expect(await files.kindOf(`${base}/ranges`)).toBe('folder');
    expect(await files.list(base)).toBeUndefined();
    const missing = await files.kindOf(`${base}/b.safetensors`).catch((error: unknown) => error);
    expect(files.isMissing(missing)).toBe(true);
    const broken = await files.kindOf(`${base}/broken/a.safetensors`).catch((error: unknown) => error);
    expect(files.isMissing(broken)).toBe(false);
    expect(String(broken)).toContain('answered with the status 503');
  });

  it('are there or not, also where an app has a page for all that is missing', async () => {
    expect(await files.exists(`${base}/ranges/a.safetensors`)).toBe(true);
    expect(await files.exists(`${base}/ranges/b.safetensors`)).toBe(false);
    expect(await files.exists(`${base}/app/b.json`)).toBe(false);
    await expect(files.exists(`${base}/broken/b.json`)).rejects.toThrow('status 503');
    expect(files.isMissing(await files.readText(`${base}/app/b.json`).catch((error: unknown) => error))).toBe(
      true,
    );
    expect(await files.readText(`${base}/whole/a.txt`)).toBe('wört');
  });

  it('have names and folders like paths', () => {
    expect(files.basename(`${base}/x/model.safetensors`)).toBe('model.safetensors');
    expect(files.dirname(`${base}/x/model.safetensors`)).toBe(`${base}/x`);
    expect(files.join(`${base}/x/`, 'config.json')).toBe(`${base}/x/config.json`);
    expect(files.resolve(`${base}/x/../y`)).toBe(`${base}/y`);
    expect(files.resolve('../a.png', `${base}/x/`)).toBe(`${base}/a.png`);
    expect(files.resolve(`${base}/a.png`, `${base}/x`)).toBe(`${base}/a.png`);
    expect(files.relative(`${base}/x`, `${base}/x/y/a.json`)).toBe('y/a.json');
    expect(files.relative(`${base}/x`, `${base}/xy/a.json`)).toBeUndefined();
  });

  it('cannot be written', async () => {
    await expect(writeFileAtomic('a', 'text')).rejects.toThrow(UnsupportedError);
    await expect(writeSafetensors('a', [])).rejects.toThrow(UnsupportedError);
    await expect(writeCheckpoint('a', [])).rejects.toThrow('A browser has no disk');
  });
});
