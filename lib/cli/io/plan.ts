import type { Csr } from '../../core/arrays.js'
import { loadPeers } from './peer.js'

const linesPerChunk = 4096

/** The plan as CSV text, `source,target,mass` with indices from 0, a few thousand lines at a time. */
export function* planCsv(plan: Csr): Generator<string> {
  const rows = plan.shape[0]
  let chunk = 'source,target,mass\n'
  let lines = 0
  for (let i = 0; i < rows; i++) {
    for (let k = plan.indptr[i]!; k < plan.indptr[i + 1]!; k++) {
      chunk += `${i},${plan.indices[k]},${plan.data[k]}\n`
      if (++lines % linesPerChunk === 0) {
        yield chunk
        chunk = ''
      }
    }
  }
  yield chunk
}

/** Loads the optional package, or says how to install it. */
export const loadArrow = (): Promise<typeof import('apache-arrow')> =>
  loadPeers('--out with .arrow', 'apache-arrow', () => import('apache-arrow'))

/** The plan as an Arrow IPC file with columns source (int32), target (int32) and mass (float64). */
export async function planArrow(plan: Csr): Promise<Uint8Array> {
  const { makeVector, Table, tableToIPC } = await loadArrow()
  const source = new Int32Array(plan.indices.length)
  for (let i = 0; i < plan.shape[0]; i++) source.fill(i, plan.indptr[i], plan.indptr[i + 1])
  const table = new Table({ source: makeVector(source), target: makeVector(plan.indices), mass: makeVector(plan.data) })
  return tableToIPC(table, 'file')
}
