export { mropePart, mropePositions, type MropeConfig, type VideoAdvance } from './mrope.js';
