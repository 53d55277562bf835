// Sums up what vitest reported: `node tools/count-tests.mjs REPORT.json...`. Its only line ends what CI prints. It fails
// when a test failed, when a file could not be run, or when there is no report.
import { readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
for (const file of process.argv.slice(2)) {
  const { numPassedTests, numTotalTests, success } = read(file);
  passed += numPassedTests;
  // A file that could not be run has no tests to count.
  failed += Math.max(numTotalTests - numPassedTests, success ? 0 : 1);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { numPassedTests: 0, numTotalTests: 0, success: false };
  }
}
