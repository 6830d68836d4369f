// Prints the growth in bytes; see memory.ts.
import { readFileSync, writeFileSync } from 'node:fs'
import { pointCloud, type TransportProblem } from '../../lib/transport/index.js'
import type { MemoryTask } from './memory.js'
import { ourIterations } from './ours.js'
import { randomAssignment, uniformPoints } from './problems.js'

const task: MemoryTask = JSON.parse(process.argv[2])

function problem(n: number): TransportProblem {
  if (task.cost === 'dense') return randomAssignment(n, 1)
  return { cost: pointCloud(uniformPoints(n, task.dimension, 1), uniformPoints(n, task.dimension, 2)) }
}

function solve(given: TransportProblem, iterations: number) {
  const { precision, threads } = task
  return ourIterations(given, { epsilon: 0.05, precision, threads, backend: 'native' }, iterations)
}

function residentBytes(field: 'VmRSS' | 'VmHWM'): number {
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(kib![1]) * 1024
}

await solve(problem(100), 10)
const given = problem(task.n)
globalThis.gc!()
const before = residentBytes('VmRSS')
// Sets the peak back to the present size (proc(5)).
writeFileSync('/proc/self/clear_refs', '5')
await solve(given, task.iterations)
console.log(residentBytes('VmHWM') - before)
