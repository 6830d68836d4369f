import type { CsrParts } from '../../kernels.js'
import type {
  GromovBlendJob,
  GromovCompareJob,
  GromovKernels,
  GromovProductJob,
  GromovScanJob,
} from '../../transport-gromov.js'
import { scanField } from '../../transport-gromov.js'
import { portableKernel } from '../driver.js'
import { segmentLength, type Watch, type Work } from '../work.js'

// Twin of native/transport/gromov.cc.

function* scan(job: GromovScanJob, monitor: Watch): Work<void> {
  const { rows, columns, data, symmetric, weights, squares, rowSums, columnSums, report } = job
  let largest = 0
  let asymmetry = 0
  let notFinite = -1
  let negative = -1
  let asymmetric = -1
  columnSums?.fill(0)
  for (let i = 0; i < rows; i++) {
    const offset = i * columns
    let square = 0
    let sum = 0
    for (let j = 0; j < columns; j++) {
      const value = data[offset + j]
      if (notFinite < 0 && !Number.isFinite(value)) notFinite = offset + j
      if (negative < 0 && value < 0) negative = offset + j
      const size = Math.abs(value)
      if (size > largest) largest = size
      sum += value
      if (weights !== null) square += value * value * weights[j]
      if (columnSums !== null) columnSums[j] += value
    }
    if (squares !== null) squares[i] = square
    if (rowSums !== null) rowSums[i] = sum
    for (let j = 0; symmetric && j < i; j++) {
      const difference = Math.abs(data[offset + j] - data[j * columns + i])
      if (difference <= asymmetry) continue
      asymmetry = difference
      asymmetric = offset + j
    }
    if (monitor.due()) yield
  }
  report[scanField.largest] = largest
  report[scanField.asymmetry] = asymmetry
  report[scanField.notFinite] = notFinite
  report[scanField.negative] = negative
  report[scanField.asymmetric] = asymmetric
}

/** row += factor × the plan's row k */
function addRow(plan: Float64Array | CsrParts, m: number, k: number, factor: number, row: Float64Array): void {
  if (plan instanceof Float64Array) {
    for (let j = 0, at = k * m; j < m; j++, at++) row[j] += factor * plan[at]
    return
  }
  const { indptr, indices, data } = plan
  for (let e = indptr[k]; e < indptr[k + 1]; e++) row[indices[e]] += factor * data[e]
}

/** sum_j values_ij T_ij */
function rowDot(plan: Float64Array | CsrParts, m: number, i: number, values: Float64Array): number {
  const offset = i * m
  let sum = 0
  if (plan instanceof Float64Array) {
    for (let at = offset; at < offset + m; at++) sum += values[at] * plan[at]
    return sum
  }
  const { indptr, indices, data } = plan
  for (let e = indptr[i]; e < indptr[i + 1]; e++) sum += values[offset + indices[e]] * data[e]
  return sum
}

function* product(job: GromovProductJob, monitor: Watch): Work<void> {
  const { n, m, source, target, plan, features, out, report } = job
  const y = new Float64Array(m)
  report.fill(0)
  for (let i = 0; i < n; i++) {
    y.fill(0)
    for (let k = 0; k < n; k++) {
      addRow(plan, m, k, source[i * n + k], y)
      if (k % 64 === 63 && monitor.due()) yield
    }
    const row = out.subarray(i * m, (i + 1) * m)
    row.fill(0)
    for (let k = 0; k < m; k++) {
      addRow(target, m, k, y[k], row)
      if (k % 64 === 63 && monitor.due()) yield
    }
    report[0] += rowDot(plan, m, i, out)
    if (job.product !== null) report[1] += rowDot(plan, m, i, job.product)
    if (features !== null) report[2] += rowDot(plan, m, i, features)
    if (monitor.due()) yield
  }
}

function* blend(job: GromovBlendJob, monitor: Watch): Work<void> {
  const { n, m, step, alpha, plan, product, direction, directionProduct, u, v, features, gradient } = job
  for (let i = 0; i < n; i++) {
    const offset = i * m
    if (step > 0 && direction !== null && directionProduct !== null) {
      for (let at = offset; at < offset + m; at++) {
        product[at] = (1 - step) * product[at] + step * directionProduct[at]
        plan[at] *= 1 - step
      }
      addRow(direction, m, i, step, plan.subarray(offset, offset + m))
    }
    for (let j = 0, at = offset; j < m; j++, at++) {
      const structure = alpha * (2 * u[i] + 2 * v[j] - 4 * product[at])
      gradient[at] = features === null ? structure : (1 - alpha) * features[at] + structure
    }
    if (monitor.due()) yield
  }
}

/** t log t */
function entropy(t: number): number {
  return t * Math.log(Math.max(t, 1e-300))
}

function* compare({ plan, next, entropies, report }: GromovCompareJob, monitor: Watch): Work<void> {
  report.fill(0)
  for (let start = 0; start < plan.length; start += segmentLength) {
    const end = Math.min(plan.length, start + segmentLength)
    let distance = 0
    let sum = 0
    let nextSum = 0
    for (let k = start; k < end; k++) {
      distance += Math.abs(next[k] - plan[k])
      if (!entropies) continue
      sum += entropy(plan[k])
      nextSum += entropy(next[k])
    }
    report[0] += distance
    report[1] += sum
    report[2] += nextSum
    if (monitor.due()) yield
  }
}

export const portableGromov: GromovKernels = {
  gromovScan: portableKernel(scan),
  gromovProduct: portableKernel(product),
  gromovBlend: portableKernel(blend),
  gromovCompare: portableKernel(compare),
}
