import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { environment } from './environment.js'

export interface MemoryTask {
  cost: 'dense' | 'points'
  n: number
  /** Of the points. */
  dimension: number
  precision: 'float64' | 'float32'
  iterations: number
  threads: number
}

const script = fileURLToPath(new URL('memory-child.ts', import.meta.url))

/**
 * Bytes by which the resident memory of a fresh process rises at most while it solves the task, over what it holds with
 * the input in memory and the library warmed up. Linux only.
 */
export function memoryGrowth(task: MemoryTask): number {
  const args = ['--import=tsx', '--expose-gc', script, JSON.stringify(task)]
  return Number(execFileSync(process.execPath, args, { env: environment(), encoding: 'utf8' }))
}
