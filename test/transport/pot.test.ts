import { readFileSync } from 'node:fs'
import { expect } from 'chai'

import {
  emdSync,
  partialSync,
  sinkhornNewtonSparseSync,
  unbalancedSync,
  wasserstein1dSync,
} from '../../lib/transport/index.js'

import { forEachBackend } from '../helpers/backends.js'
import { askPot, type PotAnswer, type PotAnswers, type PotProblem, potProblems } from '../helpers/pot.js'

type Backend = 'native' | 'portable'
type Method = PotProblem['method']

const recorded: PotAnswers = JSON.parse(readFileSync(new URL('../fixtures/pot.json', import.meta.url), 'utf8'))
const problems = potProblems()

/** How exactly POT solves each: its stopping rules and LP arithmetic. */
const exactness: Record<Method, number> = {
  emd: 1e-10,
  line: 1e-10,
  sinkhorn: 1e-8,
  unbalanced: 1e-7,
  partial: 1e-8,
  quadratic: 1e-4,
}

function ours(problem: PotProblem, backend: Backend): PotAnswer | undefined {
  const { a, b } = problem
  switch (problem.method) {
    case 'emd':
      return emdSync({ cost: problem.cost, a, b }, { backend })
    case 'line':
      return wasserstein1dSync({ x: problem.x, y: problem.y, a, b }, { order: problem.order, backend })
    case 'sinkhorn':
      return sinkhornNewtonSparseSync(
        { cost: problem.cost, a, b },
        { epsilon: problem.epsilon, tolerance: 1e-12, backend },
      )
    case 'unbalanced':
      return unbalancedSync(
        { cost: problem.cost, a, b },
        { epsilon: problem.epsilon, marginalPenalty: problem.marginalPenalty, tolerance: 1e-12, backend },
      )
    case 'partial':
      return partialSync({ cost: problem.cost, a, b }, { mass: problem.mass, backend })
    default:
      return undefined
  }
}

function expectSame(answer: PotAnswer, expected: PotAnswer, method: Method, k: number): void {
  const error = Math.abs(answer.value - expected.value) / (1e-3 + Math.abs(expected.value))
  expect(error, `${method}, problem ${k}`).to.be.at.most(exactness[method])
}

describe('transport: the answers of POT', () => {
  forEachBackend((backend) => {
    for (const method of ['emd', 'line', 'sinkhorn', 'unbalanced', 'partial'] as Method[]) {
      it(`${method}`, () => {
        let count = 0
        problems.forEach((problem, k) => {
          if (problem.method !== method) return
          const answer = ours(problem, backend)
          if (answer === undefined) return
          expectSame(answer, recorded.answers[k], method, k)
          count++
        })
        expect(count).to.be.at.least(20)
      })
    }
  })

  it('recorded ones are those of the POT that is installed, if one is', () => {
    const some = problems.filter((_, k) => k % 10 === 0)
    const live = askPot(some)
    live?.answers.forEach((answer, k) => {
      expectSame(answer, recorded.answers[10 * k], some[k].method, 10 * k)
    })
    expect(recorded.answers).to.have.length(problems.length)
  })
})
