import type { NdArray } from '../../core/arrays.js'
import { pointCloud, type TransportProblem } from '../../transport/index.js'
import { matrixCost, type PairCost, pointCost } from '../epsilon.js'
import { InputError } from '../errors.js'
import { balance, type Measure, readMatrix, readPoints, readWeights, weightVector } from '../io/points.js'
import type { TransportFlags } from './flags.js'

/** A problem as read from files. */
export interface Inputs {
  source: Measure
  target: Measure
  costName: string
  pairCost: PairCost
  problem: TransportProblem
}

/** Reads the files and checks that they belong together. */
export async function readInputs(
  sourcePath: string,
  targetPath: string,
  flags: TransportFlags,
  signal: AbortSignal,
): Promise<Inputs> {
  const common = { signal, ...(flags.columns !== undefined && { columns: flags.columns }) }
  const options = (weights = flags.weights) => (weights === undefined ? common : { ...common, weights })
  const sourceOptions = options(flags.sourceWeights)
  const targetOptions = options(flags.targetWeights)
  if (flags.costMatrix !== undefined) {
    const source = await readWeights(sourcePath, sourceOptions)
    const target = await readWeights(targetPath, targetOptions)
    const cost = await readMatrix(flags.costMatrix, signal)
    checkMatrix(flags.costMatrix, cost.shape, source, target)
    return inputsOf(source, target, 'matrix', cost, matrixCost(cost), flags)
  }
  const source = await readPoints(sourcePath, sourceOptions)
  const target = await readPoints(targetPath, targetOptions)
  if (source.dimension !== target.dimension) {
    const sides = [source, target].map(
      ({ name, dimension, axes }) => `${dimension} in ${name}${axes === undefined ? '' : ` (${axes.join(', ')})`}`,
    )
    throw new InputError(`points: expected equally many coordinates on both sides, got ${sides.join(' and ')}`)
  }
  const costName = flags.cost ?? 'sqeuclidean'
  const cloud = pointCloud(matrixOf(source), matrixOf(target), { cost: costName })
  const pairCost = pointCost(source.points, target.points, source.dimension, costName)
  return inputsOf(source, target, costName, cloud, pairCost, flags)
}

function inputsOf(
  source: Measure,
  target: Measure,
  costName: string,
  cost: TransportProblem['cost'],
  pairCost: PairCost,
  flags: TransportFlags,
): Inputs {
  balance(source, target, flags.normalize ?? false)
  const problem = { cost, a: weightVector(source), b: weightVector(target) }
  return { source, target, costName, pairCost, problem }
}

const matrixOf = ({ points, count, dimension }: Measure): NdArray => ({ data: points, shape: [count, dimension] })

function checkMatrix(path: string, [rows, columns]: [number, number], source: Measure, target: Measure): void {
  if (rows === source.count && columns === target.count) return
  throw new InputError(
    `${path}: expected ${source.count}×${target.count} costs to match ${source.name} (${source.count}) and ${target.name} (${target.count}), got ${rows}×${columns}`,
  )
}
