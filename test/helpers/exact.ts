import { expect } from 'chai'
import type { Csr } from '../../lib/core/index.js'
import type { ExactSolution, ExactTransportProblem } from '../../lib/transport/index.js'
import { columnSums, type Dense, rowSums, total } from './transport.js'

/** The allowed arcs as compressed rows. */
export function listed({ n, m, cost }: Pick<Dense, 'n' | 'm' | 'cost'>): Csr {
  const indptr = new Int32Array(n + 1)
  const indices: number[] = []
  const data: number[] = []
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      if (cost[i * m + j] === Number.POSITIVE_INFINITY) continue
      indices.push(j)
      data.push(cost[i * m + j])
    }
    indptr[i + 1] = indices.length
  }
  return { shape: [n, m], indptr, indices: Int32Array.from(indices), data: Float64Array.from(data) }
}

export function asListed(dense: Dense): ExactTransportProblem {
  return { cost: listed(dense), a: dense.a, b: dense.b }
}

/** Everything that makes a solution optimal, recomputed from the definitions. */
export function expectOptimal(solution: ExactSolution, dense: Dense, slack = 1e-12): void {
  const { n, m, cost, a, b } = dense
  const { value, certificate, potentials, status, residual, marginalError } = solution
  const { f, g } = potentials
  expect(status).to.equal('converged')
  expect(residual).to.be.within(0, 1e-12)
  expectPlan(solution, dense)
  expect(marginalError).to.be.below(1e-13)

  let moved = 0
  let size = 1e-300
  const { data: plan } = solution.plan()
  for (let k = 0; k < plan.length; k++) {
    if (plan[k] === 0) continue
    moved += plan[k] * cost[k]
    size += plan[k] * Math.abs(cost[k])
  }
  let dual = 0
  for (let i = 0; i < n; i++) {
    expect(f[i]).to.satisfy(Number.isFinite)
    if (a[i] > 0) dual += a[i] * f[i]
    if (a[i] > 0) size += a[i] * Math.abs(f[i])
  }
  for (let j = 0; j < m; j++) {
    expect(g[j]).to.satisfy(Number.isFinite)
    if (b[j] > 0) dual += b[j] * g[j]
    if (b[j] > 0) size += b[j] * Math.abs(g[j])
  }
  expect(value).to.be.closeTo(moved, slack * size)
  expect(certificate.primal).to.equal(value)
  expect(certificate.dual).to.be.closeTo(dual, slack * size)
  expect(certificate.gap).to.equal(certificate.primal - certificate.dual)
  expect(Math.abs(certificate.gap)).to.be.at.most(slack * size)

  const near = slack * (largest(f) + largest(g)) + 1e-300
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      const c = cost[i * m + j]
      if (f[i] + g[j] > c + near) expect.fail(`f + g exceeds the cost by ${f[i] + g[j] - c} at [${i}][${j}]`)
      // Complementary slackness.
      if (plan[i * m + j] > 0 && f[i] + g[j] < c - near) expect.fail(`mass at [${i}][${j}], which is not tight`)
    }
  }
}

/** A plan: nothing negative or forbidden, the marginals, and a forest of at most n + m - 1 arcs in both its forms. */
export function expectPlan(solution: ExactSolution, { n, m, cost, a, b }: Dense): void {
  const { data: plan, shape } = solution.plan()
  expect(shape).to.deep.equal([n, m])
  const mass = total(a)
  const scale = mass / total(b)
  const near = 1e-14 * mass * (n + m)
  rowSums(plan, n, m).forEach((sum, i) => {
    expect(sum).to.be.closeTo(a[i], near)
  })
  columnSums(plan, n, m).forEach((sum, j) => {
    expect(sum).to.be.closeTo(b[j] * scale, near)
  })
  const { indptr, indices, data, shape: sparseShape } = solution.sparsePlan()
  expect(sparseShape).to.deep.equal([n, m])
  expect(data.length).to.be.at.most(n + m - 1)
  expect(indptr).to.have.length(n + 1)
  const again = new Float64Array(n * m)
  const tree = Array.from({ length: n + m }, (_, u) => u)
  const top = (u: number): number => (tree[u] === u ? u : top(tree[u]))
  for (let i = 0; i < n; i++) {
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      expect(data[k]).to.be.above(0)
      expect(cost[i * m + indices[k]]).to.be.below(Number.POSITIVE_INFINITY)
      if (k > indptr[i]) expect(indices[k]).to.be.above(indices[k - 1])
      again[i * m + indices[k]] = data[k]
      expect(top(i), 'a cycle in the plan').not.to.equal(top(n + indices[k]))
      tree[top(i)] = top(n + indices[k])
    }
  }
  expect(again).to.deep.equal(plan)
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
}
