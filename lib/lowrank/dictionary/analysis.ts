import { matrixFunction } from '../../linear/dense.js'
import { eigen } from './start.js'

/** What maps samples in rows to coefficients in rows: the atoms, after whitening if there is one. */
export function analysisOf(atoms: Float64Array, whitening: Float64Array | null, n: number): Float64Array {
  return whitening === null ? atoms : product(whitening, atoms, n)
}

/** Its inverse. */
export function synthesisOf(atoms: Float64Array, whitening: Float64Array | null, n: number): Float64Array {
  const turned = Float64Array.from({ length: n * n }, (_, k) => atoms[(k % n) * n + Math.floor(k / n)])
  if (whitening === null) return turned
  const work = matrixFunction(eigen(whitening, n), (value) => 1 / value, { due: () => false })
  for (;;) {
    const { done, value } = work.next()
    if (done) return product(turned, value, n)
  }
}

function product(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) out[i * n + j] += a[i * n + k] * b[k * n + j]
  }
  return out
}
