/**
 * Prints `N passed, N failed` from vitest's JSON report: `node .ci/count-tests.mjs <file>`. A test file that could not
 * be loaded counts as one failure. Fails unless tests ran and all of them passed.
 */
import { readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
let complete = false;
try {
  const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
  passed = report.numPassedTests;
  failed = report.numFailedTests + report.testResults.filter(isBroken).length;
  complete = report.success && report.numTotalTests === passed;
} catch (error) {
  console.error(`There is no test report: ${error.message}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = complete && passed > 0 && failed === 0 ? 0 : 1;

function isBroken(file) {
  return file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed');
}
