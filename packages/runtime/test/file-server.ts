import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';

/** A server of files that answers ranges of bytes. */
export interface FileServer {
  readonly base: string;
  /** Ranges that were read, `path bytes=from-to`; whole files have no range. */
  readonly reads: string[];
  close(): Promise<void>;
}

export async function serveFiles(folder: string): Promise<FileServer> {
  const reads: string[] = [];
  const server: Server = createServer(async ({ url = '/', method, headers }, response) => {
    const content = await readFile(join(folder, normalize(decodeURI(url)))).catch(() => undefined);
    if (!content) return response.writeHead(404).end();
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
    const isPart = from !== undefined;
    const body = isPart ? content.subarray(Number(from), Number(to) + 1) : content;
    if (method === 'GET') reads.push([url, headers.range].join(' ').trim());
    response.writeHead(isPart ? 206 : 200, { 'content-length': body.byteLength });
    return response.end(method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    reads,
    close: () =>
      new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve()))),
  };
}
