import { parentPort } from 'node:worker_threads';
import { drawSlice, type PoolSlice } from './pool.js';

parentPort?.on('message', (slice: PoolSlice | null) => {
  if (!slice) {
    parentPort?.close();
    return;
  }
  const data = drawSlice(slice);
  parentPort?.postMessage({ slice, data }, [data.buffer as ArrayBuffer]);
});
