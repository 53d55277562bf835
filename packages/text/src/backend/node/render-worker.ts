import { parentPort, workerData } from 'node:worker_threads';
import { answerOf, type RenderRequest } from '../../render-request.js';

parentPort!.postMessage(answerOf(workerData as RenderRequest));
