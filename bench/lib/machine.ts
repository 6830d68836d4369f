import { readFileSync } from 'node:fs'
import os from 'node:os'
import { backend } from '../../lib/index.js'

export interface Machine {
  cpu: string
  cores: number
  memoryGiB: number
  os: string
  node: string
  backend: string
  simd: string | null
  blas: string | null
  blasCore: string | null
  threads: number
}

/** Where the figures come from. */
export function describeMachine(threads: number): Machine {
  const about = backend()
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    os: `${distribution()}, ${os.type()} ${os.release().split('-')[0]}, ${os.arch()}`,
    node: process.version,
    backend: about.name,
    simd: about.simd ?? null,
    blas: about.blas ?? null,
    blasCore: about.blasCore ?? null,
    threads,
  }
}

function distribution(): string {
  if (os.type() !== 'Linux') return os.version()
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux'
}

export function machineLine(machine: Machine): string {
  const { cpu, cores, memoryGiB, node, backend, simd, blas, blasCore, threads } = machine
  const kernels = backend === 'native' ? `native kernels (${simd}; ${blas}, core ${blasCore})` : 'portable kernels'
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB; ${machine.os}; Node ${node}; ${kernels}; ${threads} threads`
}
