import { multiply, multiplySync, prepare, type Stencil } from '../../lib/linear/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { laplacian, scipySparse } from '../lib/laplacian.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { inTurns, median, milliseconds } from '../lib/timing.js'

export const description =
  'Sparse products with the 5-point Laplacian: against scipy.sparse, and the streaming of its bytes.'

export async function run({ quick, log, threads }: Context): Promise<Report> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  const repetitions = quick ? 5 : 25
  for (const side of quick ? [300] : [300, 1000]) {
    const n = side * side
    log(`${n} unknowns`)
    const csr = laplacian(side)
    const matrix = prepare(csr)
    const stencil = prepare({ kind: 'stencil', grid: [side, side] } satisfies Stencil)
    const x = Float64Array.from({ length: n }, (_, i) => Math.sin(i))
    const scipy = 1000 * median(scipySparse(side, 1, 0.5).matvec)
    // A dense product that reads as many bytes as the matrix, x and the result have.
    const bytes = csr.data.byteLength + csr.indices.byteLength + csr.indptr.byteLength + 2 * x.byteLength
    const line = prepare({
      data: new Float64Array(Math.floor(bytes / 8 / 1024) * 1024).fill(1),
      shape: [Math.floor(bytes / 8 / 1024), 1024],
    })
    const ones = new Float64Array(1024).fill(1)
    const out = new Float64Array(n)
    const dense = { data: new Float64Array(8 * n).fill(1), shape: [n, 8] as [number, number] }
    const times = await inTurns(repetitions, {
      csr: () => milliseconds(() => multiply(matrix, x, { out })),
      fresh: () => milliseconds(() => multiply(matrix, x)),
      one: () => milliseconds(() => multiply(matrix, x, { out, threads: 1 })),
      stencil: () => milliseconds(() => multiply(stencil, x, { out })),
      stream: () => milliseconds(() => multiply(line, ones)),
      block: () => milliseconds(() => multiply(matrix, dense)),
      portable: () => milliseconds(() => multiplySync(matrix, x, { backend: 'portable' })),
    })
    rows.push([
      n,
      times.csr,
      times.fresh,
      times.one,
      times.stream,
      times.csr / times.stream,
      scipy,
      scipy / times.csr,
      times.block / 8,
      times.stencil,
      times.portable,
    ])
    if (n < 1e6) continue
    targets.push(atMost(`CSR product, ${n} unknowns, against streaming its bytes`, times.csr / times.stream, 1.3, '×'))
    targets.push(atLeast(`CSR product, ${n} unknowns, against scipy.sparse`, scipy / times.csr, 1.5, '×'))
  }
  return {
    tables: [
      {
        title: 'A x, milliseconds',
        note: `${threads} threads unless it says one. Streaming is a dense product that reads as many bytes. Ours includes the check of x, and writes into memory that is there but in the third column.`,
        columns: [
          'unknowns',
          'CSR',
          'CSR, new memory',
          'one thread',
          'streaming',
          'CSR / streaming',
          'SciPy',
          'SciPy / CSR',
          'CSR, per vector of 8',
          'stencil',
          'portable',
        ],
        rows,
      },
    ],
    targets,
  }
}
