#!/usr/bin/env node
import { run } from '@weft/cli';

process.exitCode = await run(process.argv.slice(2));
