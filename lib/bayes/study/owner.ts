import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/** A process that evaluates trials. */
export interface Owner {
  host: string
  pid: number
  /** When it started, where the system tells: a number of a process may be given again. */
  started: string
}

export function thisProcess(): Owner {
  return { host: hostname(), pid: process.pid, started: startOf(process.pid) ?? '' }
}

/** Whether the process still runs; those of other machines are taken to. */
export function isAlive({ host, pid, started }: Owner): boolean {
  if (host !== hostname()) return true
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const now = startOf(pid)
  return started === '' || now === undefined || now === started
}

/** The boot of the machine and the tick since then at which the process started (Linux: proc(5), field 22 of stat). */
function startOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name of the program, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return 'ended'
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${fields[19]}`
  } catch {
    return undefined // no /proc, or the process has just ended
  }
}
