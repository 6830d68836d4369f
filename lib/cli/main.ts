#!/usr/bin/env node
import { codeOf, exitCode } from './errors.js'
import { run } from './program.js'

// `extrema … | head` closes our output early, which is no failure.
process.stdout.on('error', (error) => {
  if (codeOf(error) === 'EPIPE') process.exit(exitCode.ok)
  throw error
})

process.exitCode = await run(process.argv.slice(2))
