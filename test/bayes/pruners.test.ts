import { expect } from 'chai'
import { ashaPruner, hyperbandPruner, medianPruner, type Pruner } from '../../lib/bayes/index.js'
import { expectError } from '../helpers/errors.js'

interface Past {
  reports: [step: number, value: number][]
  state?: string
}

/** What the pruner says of the last trial of a history, after each of its reports. */
function verdicts(pruner: Pruner, past: Past[], direction: 'minimize' | 'maximize' = 'minimize'): boolean[] {
  const records = past.map(({ reports, state = 'complete' }, number) => ({
    ...{ number, state, reports: reports.map(([step, value]) => ({ step, value })) },
  }))
  const last = records.at(-1)!
  last.state = 'running'
  const all = last.reports
  return all.map((_, k) => {
    last.reports = all.slice(0, k + 1)
    const history = { trials: records, directions: [direction], constraints: 0, seed: 0 }
    return pruner.shouldPrune(last as never, history as never)
  })
}

describe('median pruner', () => {
  const past: Past[] = [
    {
      reports: [
        [1, 5],
        [2, 4],
      ],
    },
    {
      reports: [
        [1, 3],
        [2, 3],
      ],
    },
    {
      reports: [
        [1, 9],
        [2, 8],
      ],
    },
  ]

  it('compares the best so far with the median at the same step', () => {
    const pruner = medianPruner({ startupTrials: 3 })
    // Medians: 5 at step 1, 4 at step 2.
    expect(
      verdicts(pruner, [
        ...past,
        {
          reports: [
            [1, 5.1],
            [2, 4],
          ],
        },
      ]),
    ).to.deep.equal([true, false])
    expect(
      verdicts(pruner, [
        ...past,
        {
          reports: [
            [1, 5],
            [2, 4.5],
          ],
        },
      ]),
    ).to.deep.equal([false, true])
    expect(
      verdicts(pruner, [
        ...past,
        {
          reports: [
            [1, 2],
            [2, 50],
          ],
        },
      ]),
    ).to.deep.equal([false, false])
  })

  it('looks at complete trials only, at steps that they reported', () => {
    const pruner = medianPruner({ startupTrials: 1 })
    const others: Past[] = [
      { reports: [[1, 5]] },
      { reports: [[1, 1]], state: 'pruned' },
      { reports: [[1, 1]], state: 'failed' },
    ]
    expect(
      verdicts(pruner, [
        ...others,
        {
          reports: [
            [1, 5],
            [2, 99],
          ],
        },
      ]),
    ).to.deep.equal([false, false])
    expect(verdicts(pruner, [...others, { reports: [[1, 5.5]] }])).to.deep.equal([true])
  })

  it('waits for trials and for steps', () => {
    expect(verdicts(medianPruner({ startupTrials: 4 }), [...past, { reports: [[1, 99]] }])).to.deep.equal([false])
    const warm = medianPruner({ startupTrials: 3, warmupSteps: 2 })
    expect(
      verdicts(warm, [
        ...past,
        {
          reports: [
            [1, 99],
            [2, 98],
          ],
        },
      ]),
    ).to.deep.equal([false, true])
    expect(verdicts(medianPruner({ startupTrials: 0 }), [{ reports: [[1, 99]] }])).to.deep.equal([false])
  })

  it('maximizes and takes other percentiles', () => {
    const pruner = medianPruner({ startupTrials: 3 })
    expect(verdicts(pruner, [...past, { reports: [[1, 4.9]] }], 'maximize')).to.deep.equal([true])
    expect(verdicts(pruner, [...past, { reports: [[1, 5]] }], 'maximize')).to.deep.equal([false])
    // 25 % of 3, 5, 9 with NumPy's interpolation: 4.
    const quarter = medianPruner({ startupTrials: 3, percentile: 25 })
    expect(verdicts(quarter, [...past, { reports: [[1, 4.1]] }])).to.deep.equal([true])
    expect(verdicts(quarter, [...past, { reports: [[1, 4]] }])).to.deep.equal([false])
  })
})

describe('ASHA pruner', () => {
  const pruner = ashaPruner({ minResource: 1, reductionFactor: 3 })

  it('keeps the best third at the rungs 1, 3, 9, …', () => {
    // At rung 1 five others: with the new one six, of which two go on.
    const others: Past[] = [1, 2, 3, 4, 5].map((value) => ({ reports: [[1, value]], state: 'pruned' }))
    expect(verdicts(pruner, [...others, { reports: [[1, 1.5]] }])).to.deep.equal([false])
    expect(verdicts(pruner, [...others, { reports: [[1, 2.5]] }])).to.deep.equal([true])
    // Of five one goes on, and 1.5 is the second.
    expect(verdicts(pruner, [...others.slice(0, 4), { reports: [[1, 1.5]] }])).to.deep.equal([true])
    expect(verdicts(pruner, [...others.slice(0, 4), { reports: [[1, 0.5]] }])).to.deep.equal([false])
    // Steps between rungs decide nothing, whatever their value.
    expect(
      verdicts(pruner, [
        ...others,
        {
          reports: [
            [1, 0],
            [2, 99],
          ],
        },
      ]),
    ).to.deep.equal([false, false])
  })

  it('lets the best of fewer than three go on, ties with it too', () => {
    const one: Past[] = [{ reports: [[1, 1]] }]
    expect(verdicts(pruner, [{ reports: [[1, 9]] }])).to.deep.equal([false])
    expect(verdicts(pruner, [...one, { reports: [[1, 1]] }])).to.deep.equal([false])
    expect(verdicts(pruner, [...one, { reports: [[1, 1.1]] }])).to.deep.equal([true])
  })

  it('passes all the rungs that a report skips over', () => {
    const others: Past[] = [
      {
        reports: [
          [1, 5],
          [3, 1],
          [9, 1],
        ],
      },
    ]
    // Step 4 is the first at rungs 1 and 3: 3 beats 5 at the first, but not 1 at the second.
    expect(verdicts(pruner, [...others, { reports: [[4, 3]] }])).to.deep.equal([true])
    expect(
      verdicts(pruner, [
        ...others,
        {
          reports: [
            [2, 3],
            [3, 0.5],
            [8, 9],
            [9, 2],
          ],
        },
      ]),
    ).to.deep.equal([...[false, false, false, true]])
  })

  it('starts later with a stopping rate, and maximizes', () => {
    const late = ashaPruner({ minResource: 2, reductionFactor: 2, minEarlyStoppingRate: 1 })
    const others: Past[] = [
      {
        reports: [
          [1, 1],
          [2, 1],
          [4, 1],
        ],
      },
    ]
    expect(
      verdicts(late, [
        ...others,
        {
          reports: [
            [1, 9],
            [2, 9],
            [3, 9],
            [4, 9],
          ],
        },
      ]),
    ).to.deep.equal([...[false, false, false, true]])
    expect(verdicts(late, [...others, { reports: [[4, 9]] }], 'maximize')).to.deep.equal([false])
  })
})

describe('Hyperband pruner', () => {
  // R = 9, eta = 3: s_max = 2; brackets of 9, ⌈3/2 · 3⌉ = 5 and 3 trials, with rungs 1, 3; 3; none.
  const pruner = hyperbandPruner({ maxResource: 9 })
  const at = (number: number, fill: Past, last: Past) => [...Array.from({ length: number }, () => fill), last]
  const good: Past = {
    reports: [
      [1, 0],
      [3, 0],
      [9, 0],
    ],
  }
  const bad: Past = {
    reports: [
      [1, 9],
      [2, 9],
      [3, 9],
      [9, 9],
    ],
  }

  it('gives each bracket its trials and rungs', () => {
    for (const number of [1, 8, 17, 18 + 7]) {
      expect(verdicts(pruner, at(number, good, bad)), `trial ${number}`).to.deep.equal([true, false, true, false])
    }
    for (const number of [10, 13, 17 + 12]) {
      expect(verdicts(pruner, at(number, good, bad)), `trial ${number}`).to.deep.equal([false, false, true, false])
    }
    for (const number of [15, 16, 17 + 15]) {
      expect(verdicts(pruner, at(number, good, bad)), `trial ${number}`).to.deep.equal([false, false, false, false])
    }
  })

  it('compares within the bracket', () => {
    // The first of the second bracket has no rival, however good the first bracket was.
    expect(verdicts(pruner, at(9, good, bad))).to.deep.equal([false, false, false, false])
  })

  it('has as many brackets as the paper for R = 81', () => {
    // JMLR 18, table 1: 81, 34, 15, 8 and 5 trials, first rungs 1, 3, 9, 27, 81.
    const pruner81 = hyperbandPruner({ maxResource: 81 })
    const steps: Past = {
      reports: [
        [1, 9],
        [3, 9],
        [9, 9],
        [27, 9],
        [81, 9],
      ],
    }
    const best: Past = {
      reports: [
        [1, 0],
        [3, 0],
        [9, 0],
        [27, 0],
        [81, 0],
      ],
    }
    const first = (number: number) => verdicts(pruner81, at(number, best, steps)).indexOf(true)
    // The second trial of each bracket, and its last.
    expect([1, 80, 82, 114, 116, 129, 131, 137, 139, 142].map(first)).to.deep.equal([0, 0, 1, 1, 2, 2, 3, 3, -1, -1])
  })
})

describe('options of pruners', () => {
  it('are checked', () => {
    expectError(() => medianPruner({ percentile: 100 }), 'ERR_OPTION', /^percentile: expected a number between/)
    expectError(() => medianPruner({ warmUp: 3 } as never), 'ERR_OPTION', /did you mean 'warmupSteps'/)
    expectError(() => ashaPruner({ reductionFactor: 1 }), 'ERR_OPTION', /^reductionFactor: expected a number > 1/)
    expectError(() => ashaPruner({ minResource: 0 }), 'ERR_NOT_POSITIVE', /^minResource/)
    expectError(
      () => hyperbandPruner({ maxResource: 2, minResource: 3 }),
      'ERR_OPTION',
      /^maxResource: expected at least/,
    )
    expectError(() => hyperbandPruner({} as never), 'ERR_OPTION', /^maxResource/)
  })
})
