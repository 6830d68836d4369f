/** Prints which backend runs and what it computes, as JSON. */
import { backend, type ExtremaError } from '../../../lib/index.js'
import { pointCloud, sinkhorn, sinkhornNewtonSparse, sinkhornSync } from '../../../lib/transport/index.js'
import { fill, random } from '../../helpers/random.js'
import { asProblem, randomDense } from '../../helpers/transport.js'

export interface Report {
  error?: { name: string; code: string; message: string; cause: string | undefined }
  backend?: ReturnType<typeof backend>
  numbers: number[][]
  forced?: string
}

async function solveAll(): Promise<number[][]> {
  const next = random(301)
  const cloud = (count: number, d: number) => ({ data: fill(count * d, next), shape: [count, d] })
  const options = { epsilon: 0.1, maxIterations: 30, tolerance: 0 }
  const solutions = [
    sinkhornSync(asProblem(randomDense(23, 37, 302)), options),
    await sinkhorn(asProblem(randomDense(201, 187, 303)), options),
    await sinkhorn({ cost: pointCloud(cloud(33, 3), cloud(29, 3), { cost: 'euclidean' }) }, options),
    await sinkhorn({ cost: pointCloud(cloud(33, 17), cloud(29, 17)) }, options),
    await sinkhornNewtonSparse(asProblem(randomDense(61, 55, 304)), { epsilon: 0.02, tolerance: 1e-13 }),
  ]
  return solutions.map(({ value, regularizedValue, certificate, potentials: { f, g } }) => {
    // The constant between f and g is free: fix it.
    const constant = f[0]
    return [
      value,
      regularizedValue,
      certificate!.primal,
      certificate!.dual,
      ...f.map((x) => x - constant),
      ...g.map((x) => x + constant),
    ]
  })
}

const report: Report = { numbers: [] }
try {
  report.backend = backend()
  report.numbers = await solveAll()
  report.forced = await sinkhorn({ cost: [[1]] }, { epsilon: 1, backend: 'native' }).then(
    () => 'ran',
    ({ code, message }: ExtremaError) => `${code}: ${message}`,
  )
} catch (error) {
  const { name, code, message, cause } = error as ExtremaError
  report.error = { name, code, message, cause: cause === undefined ? undefined : String(cause) }
}
console.log(JSON.stringify(report))
