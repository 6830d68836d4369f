import type { ErrorCode } from '../../lib/core/index.js'
import { type LightBridge, lightBridge, lightBridgeFromJSON, lightBridgeSync } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { bridgeWith, randomPotential } from '../helpers/bridge.js'
import { resizable, transferred } from '../helpers/buffers.js'
import { expectError, expectRejection } from '../helpers/errors.js'

// biome-ignore lint/suspicious/noExplicitAny: this file is about values that the types forbid.
type Wrong = any

const source = [
  [0, 1],
  [2, 3],
  [1, -1],
]
const target = [
  [1, 1],
  [0, 2],
  [3, 0],
  [2, 2],
]
const nan = Number.NaN

describe('light bridge: bad input', () => {
  forEachBackend((backend) => {
    const good = { epsilon: 1, maxIterations: 3, backend }

    async function refuses(problem: Wrong, code: ErrorCode, message: RegExp | string, options: Wrong = {}) {
      const all = typeof options === 'object' && options !== null ? { ...good, ...options } : options
      expectError(() => lightBridgeSync(problem, all), code, message)
      await expectRejection(lightBridge(problem, all), code, message)
    }
    const refusesOptions = (options: Wrong, code: ErrorCode, message: RegExp | string) =>
      refuses({ source, target }, code, message, options)

    it('no problem', async () => {
      for (const value of [null, undefined, 7, 'abc']) {
        await refuses(value, 'ERR_SHAPE', /^problem: expected \{ source, target \}, got /)
      }
      await refuses(
        { source, targets: target },
        'ERR_OPTION',
        "problem: unknown name 'targets'; did you mean 'target'?",
      )
      await refuses({ source }, 'ERR_SHAPE', 'target: expected a matrix, got undefined')
      await refuses({ source: 3, target }, 'ERR_SHAPE', 'source: expected a matrix, got number')
      await refuses(
        { source: [[1, 2], [3]], target },
        'ERR_SHAPE',
        'source[1]: expected a row of 2 numbers, got 1 numbers',
      )
    })

    it('fewer than two points', async () => {
      for (const [points, shape] of [
        [[], '0×0'],
        [[[1, 2]], '1×2'],
        [[[], []], '2×0'],
      ] as const) {
        const expected = `expected at least 2 points of at least 1 coordinate, got ${shape}`
        await refuses({ source: points, target }, 'ERR_SHAPE', `source: ${expected}`)
        await refuses({ source, target: points }, 'ERR_SHAPE', `target: ${expected}`)
      }
    })

    it('different dimensions', async () => {
      await refuses(
        { source, target: target.map(([x]) => [x]) },
        'ERR_SHAPE',
        'target: expected points of 2 coordinates as in source, got 4×1',
      )
    })

    it('coordinates that are no finite numbers', async () => {
      for (const value of [nan, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const points = [...target, [value, 0]]
        await refuses(
          { source, target: points },
          'ERR_NOT_FINITE',
          `target[4][0]: expected a finite coordinate, got ${value}`,
        )
        await refuses(
          { source: points, target },
          'ERR_NOT_FINITE',
          `source[4][0]: expected a finite coordinate, got ${value}`,
        )
      }
      const far = [
        [1e200, 0],
        [-1e200, 0],
      ]
      await refuses(
        { source: far, target },
        'ERR_NOT_FINITE',
        /^source, target: expected points of finite variance, got Inf/,
      )
    })

    it('memory that may change its length or has gone', async () => {
      await refuses({ source: { data: resizable(4), shape: [2, 2] }, target }, 'ERR_BUFFER', /^source: expected memory/)
      const gone = transferred(new Float64Array(4))
      await refuses({ source: { data: gone, shape: [2, 2] }, target }, 'ERR_BUFFER', /^source: expected an array/)
    })

    it('epsilon', async () => {
      expectError(
        () => lightBridgeSync({ source, target }, {} as Wrong),
        'ERR_OPTION',
        /^epsilon: expected a finite number > 0/,
      )
      await refusesOptions({ epsilon: 0 }, 'ERR_NOT_POSITIVE', 'epsilon: expected a finite number > 0, got 0')
      await refusesOptions({ epsilon: -1 }, 'ERR_NOT_POSITIVE', 'epsilon: expected a finite number > 0, got -1')
      await refusesOptions({ epsilon: nan }, 'ERR_OPTION', 'epsilon: expected a finite number > 0, got NaN')
      await refusesOptions({ epsilon: '1' }, 'ERR_OPTION', "epsilon: expected a finite number > 0, got '1'")
      await refusesOptions(
        { epsilon: 1e-12 },
        'ERR_OPTION',
        /^epsilon: expected at least 1e-9 times the variance of the data .+, got 1e-12/,
      )
    })

    it('options', async () => {
      for (const options of [null, 7, 'x']) {
        expectError(
          () => lightBridgeSync({ source, target }, options as Wrong),
          'ERR_OPTION',
          /^options: expected \{ epsilon, … \}, got /,
        )
      }
      const cases: [Wrong, string | RegExp, ErrorCode?][] = [
        [{ component: 3 }, "options: unknown name 'component'; did you mean 'components'?"],
        [{ components: 0 }, /^components: expected a whole number from 1 to 100000, got 0/],
        [{ components: 2.5 }, /^components: expected a whole number/],
        [
          { covariance: 'diag' },
          /^covariance: expected one of 'diagonal', 'full', got 'diag'; did you mean 'diagonal'\?/,
        ],
        [{ objective: 'match' }, /^objective: expected one of .+did you mean 'matching'\?/],
        [
          { objective: 'matching', optimizer: 'lbfgs' },
          "optimizer: expected 'adam' for objective 'matching', got 'lbfgs'",
        ],
        [{ pairing: 'rows' }, "pairing: expected with objective 'matching' only, got 'rows'"],
        [{ objective: 'matching', pairing: 'row' }, /^pairing: expected one of 'independent', 'rows', got 'row'/],
        [{ optimizer: 'sgd' }, /^optimizer: expected one of 'auto', 'adam', 'lbfgs', got 'sgd'/],
        [{ learningRate: 0 }, /^learningRate: expected a finite number > 0, got 0/, 'ERR_NOT_POSITIVE'],
        [{ variant: 'papers' }, /^variant: expected one of 'adaptive', 'paper', got 'papers'; did you mean 'paper'\?/],
        [{ batchSize: 0 }, /^batchSize: expected a whole number/],
        [{ maxIterations: 0 }, /^maxIterations: expected a whole number/],
        [{ initialScale: -1 }, /^initialScale: expected a finite number > 0/, 'ERR_NOT_POSITIVE'],
        [{ initialScale: 1e-9 }, /^initialScale: expected at least /],
        [{ initialization: 'kmeans' }, /^initialization: expected one of .+did you mean 'kmeans\+\+'\?/],
        [{ tolerance: -1 }, /^tolerance: expected a finite number >= 0/],
        [{ seed: -1 }, /^seed: expected a whole number/],
        [{ seed: 0.5 }, /^seed: expected a whole number/],
        [{ threads: 0 }, /^threads: expected a whole number/],
        [{ timeLimit: 0 }, /^timeLimit: expected a finite number > 0/, 'ERR_NOT_POSITIVE'],
        [{ signal: 3 }, /^signal: expected an AbortSignal, got 3/],
        [{ onProgress: 3 }, /^onProgress: expected a function, got 3/],
      ]
      for (const [options, message, code = 'ERR_OPTION'] of cases) {
        await refusesOptions(options, code, message)
      }
      expectError(
        () => lightBridgeSync({ source, target }, { ...good, backend: 'gpu' } as Wrong),
        'ERR_OPTION',
        /^backend: expected one of/,
      )
    })

    it('pairs need as many rows on both sides', async () => {
      await refusesOptions(
        { objective: 'matching', pairing: 'rows' },
        'ERR_SHAPE',
        "target: expected as many rows as source (3) for pairing 'rows', got 4",
      )
    })

    it('samplers', async () => {
      const points = (n: number) => ({ data: new Float64Array(2 * n).map((_, i) => Math.sin(i)), shape: [n, 2] })
      const other = (n: number) => ({ data: new Float64Array(2 * n).map((_, i) => Math.cos(3 * i)), shape: [n, 2] })
      await refuses(
        { source: points, target },
        'ERR_SHAPE',
        'source: expected points as in target, or samplers for both, got a function',
      )
      await refuses(
        { source, target: points },
        'ERR_SHAPE',
        'target: expected points as in source, or samplers for both, got a function',
      )
      await refuses(
        { source: points, target: other },
        'ERR_OPTION',
        "optimizer: expected 'adam' for samplers, got 'lbfgs'",
        {
          optimizer: 'lbfgs',
        },
      )
      await refuses(
        { source: () => points(7), target: other },
        'ERR_ORACLE',
        'source: expected the sampler to give 8192 points, got 7×2',
      )
      await refuses(
        { source: points, target: (n: number) => Array.from({ length: n }, () => [1]) },
        'ERR_SHAPE',
        'target: expected points of 2 coordinates as in source, got 8192×1',
      )
      await refuses({ source: () => null, target: other }, 'ERR_SHAPE', 'source: expected a matrix, got null')
      const holes = (n: number) => ({ ...points(n), data: points(n).data.fill(nan, 5, 6) })
      await refuses(
        { source: points, target: holes },
        'ERR_NOT_FINITE',
        'target[2][1]: expected a finite coordinate, got NaN',
      )
      let asked = 0
      const narrowing = (n: number) => (asked++ === 0 ? points(n) : { data: new Float64Array(n), shape: [n, 1] })
      await expectRejection(
        lightBridge({ source: narrowing, target: other }, { ...good, maxIterations: 100 }),
        'ERR_ORACLE',
        'source: expected the sampler to give a 8192×2 matrix, got 8192×1',
      )
      const later: Wrong = async (n: number) => points(n)
      expectError(
        () => lightBridgeSync({ source: points, target: later }, good),
        'ERR_ORACLE',
        'target: expected a sampler for a synchronous call, got a Promise from it',
      )
    })
  })

  const wrongPoints: [Wrong, ErrorCode, RegExp][] = [
    [[1, 2, 3], 'ERR_SHAPE', /^x0?: expected points of 2 coordinates, got 3 numbers/],
    [[[1, 2, 3]], 'ERR_SHAPE', /^x0?: expected points of 2 coordinates, got 1×3/],
    [[], 'ERR_SHAPE', /^x0?: expected points of 2 coordinates, got 0×0/],
    [[nan, 1], 'ERR_NOT_FINITE', /^x0?\[0\]: expected a finite coordinate, got NaN/],
    [[[1, nan]], 'ERR_NOT_FINITE', /^x0?\[0\]\[1\]: expected a finite coordinate, got NaN/],
    [null, 'ERR_SHAPE', /^x0?: expected a matrix, got null/],
    [7, 'ERR_SHAPE', /^x0?: expected a matrix, got number/],
    [[1, '2'], 'ERR_SHAPE', /^x0?\[1\]: expected a number, got string/],
  ]

  it('points that a model is asked about', async () => {
    const bridge = bridgeWith(randomPotential(3, 2, 1, false, 1), false, 'native')
    for (const [points, code, message] of wrongPoints) {
      for (const ask of [
        (model: LightBridge) => model.conditional(points),
        (model: LightBridge) => model.conditionalMean(points),
        (model: LightBridge) => model.conditionalCovariance(points),
        (model: LightBridge) => model.logDensity(points, [1, 2]),
        (model: LightBridge) => model.sample(points),
        (model: LightBridge) => model.drift(points, 0.5),
        (model: LightBridge) => model.trajectories(points),
        (model: LightBridge) => model.bridge(points, [1, 2], 0.5),
      ]) {
        expectError(() => ask(bridge), code, message)
      }
      await expectRejection(bridge.sampleAsync(points), code, message)
      await expectRejection(bridge.trajectoriesAsync(points), code, message)
    }
    const message = 'x1: expected a point for each of x0 (1), got 2'
    expectError(
      () =>
        bridge.logDensity(
          [1, 2],
          [
            [1, 2],
            [3, 4],
          ],
        ),
      'ERR_SHAPE',
      message,
    )
    expectError(
      () =>
        bridge.bridge(
          [1, 2],
          [
            [1, 2],
            [3, 4],
          ],
          0.5,
        ),
      'ERR_SHAPE',
      message,
    )
  })

  it('times, counts and names that a model is asked with', async () => {
    const bridge = bridgeWith(randomPotential(3, 2, 1, false, 1), false, 'native')
    for (const t of [-0.1, 1.1, nan, '0', undefined] as Wrong[]) {
      expectError(() => bridge.drift([1, 2], t), 'ERR_OPTION', /^t: expected a time in \[0, 1\], got /)
      expectError(() => bridge.bridge([1, 2], [1, 2], t), 'ERR_OPTION', /^t: expected a time in \[0, 1\], got /)
    }
    for (const [options, text] of [
      [{ steps: 0 }, /^steps: expected a whole number/],
      [{ times: [] }, 'times: expected at least one time, got none'],
      [{ times: [0.5, 0.5] }, 'times[1]: expected a time after 0.5, got 0.5'],
      [{ times: [0.2, 1.5] }, 'times[1]: expected a time in [0, 1], got 1.5'],
      [{ times: 3 }, /^times: expected numbers, got 3/],
      [{ step: 3 }, "options: unknown name 'step'; did you mean 'steps'?"],
      [{ seed: -1 }, /^seed: expected a whole number/],
    ] as [Wrong, string | RegExp][]) {
      expectError(() => bridge.trajectories([1, 2], options), 'ERR_OPTION', text)
      await expectRejection(bridge.trajectoriesAsync([1, 2], options), 'ERR_OPTION', text)
    }
    for (const [options, text] of [
      [{ count: 0 }, /^count: expected a whole number/],
      [{ counts: 1 }, "options: unknown name 'counts'; did you mean 'count'?"],
      [null, /^options: expected \{ … \}, got null/],
    ] as [Wrong, string | RegExp][]) {
      expectError(() => bridge.sample([1, 2], options), 'ERR_OPTION', text)
      await expectRejection(bridge.sampleAsync([1, 2], options), 'ERR_OPTION', text)
    }
    expectError(
      () => bridge.sample(Array(100).fill([1, 2]), { count: 2 ** 31 - 1 }),
      'ERR_MEMORY',
      /^x0: expected a result that fits/,
    )
  })

  it('JSON that is no bridge', () => {
    const diagonal = bridgeWith(randomPotential(2, 2, 1, false, 1), false, 'native').toJSON()
    const full = bridgeWith(randomPotential(2, 2, 1, true, 1), true, 'native').toJSON()
    const cases: [Wrong, ErrorCode, RegExp][] = [
      [null, 'ERR_SHAPE', /^json: expected a light bridge as toJSON gives it, got null/],
      ['{', 'ERR_SHAPE', /^json: expected JSON text, got /],
      [7, 'ERR_SHAPE', /^json: expected a light bridge/],
      [
        { ...diagonal, type: 'dark-bridge' },
        'ERR_OPTION',
        /^json\.type: expected one of 'light-bridge', got 'dark-bridge'/,
      ],
      [{ ...diagonal, version: 2 }, 'ERR_OPTION', /^json\.version: expected 1, got 2/],
      [{ ...diagonal, weight: 2 }, 'ERR_OPTION', /^json: unknown name 'weight'/],
      [{ ...diagonal, epsilon: 0 }, 'ERR_NOT_POSITIVE', /^json\.epsilon: expected a finite number > 0, got 0/],
      [{ ...diagonal, covariance: 'fulll' }, 'ERR_OPTION', /^json\.covariance: expected one of/],
      [{ ...diagonal, logWeights: [1] }, 'ERR_SHAPE', /^json\.logWeights: expected 2 numbers, got 1/],
      [{ ...diagonal, logWeights: [1, nan] }, 'ERR_NOT_FINITE', /^json\.logWeights\[1\]: expected a finite/],
      [{ ...diagonal, means: [] }, 'ERR_SHAPE', /^json\.means: expected K×D numbers, got 0×0/],
      [
        {
          ...diagonal,
          means: [
            [1, 2],
            [3, null],
          ],
        },
        'ERR_SHAPE',
        /^json\.means\[1\]\[1\]: expected a number, got null/,
      ],
      [{ ...diagonal, scales: [[1, 2]] }, 'ERR_SHAPE', /^json\.scales: expected 2×2 numbers, got 1×2/],
      [
        {
          ...diagonal,
          scales: [
            [1, 2],
            [0, 1],
          ],
        },
        'ERR_NOT_POSITIVE',
        /^json\.scales\[1\]\[0\]: expected a number > 0, got 0/,
      ],
      [{ ...diagonal, transform: 3 }, 'ERR_SHAPE', /^json\.transform: expected \{ source, target, scale \}, got 3/],
      [
        { ...diagonal, transform: { ...diagonal.transform, scale: 0 } },
        'ERR_NOT_POSITIVE',
        /^json\.transform\.scale: /,
      ],
      [
        { ...diagonal, transform: { ...diagonal.transform, source: [1] } },
        'ERR_SHAPE',
        /^json\.transform\.source: expected 2/,
      ],
      [{ ...full, scales: diagonal.scales }, 'ERR_SHAPE', /^json\.scales\[0\]/],
      [{ ...full, scales: 7 }, 'ERR_SHAPE', /^json\.scales: expected 2 matrices, got 7/],
      [{ ...full, scales: [full.scales[0]] }, 'ERR_SHAPE', /^json\.scales: expected 2 matrices, got 1/],
      [
        {
          ...full,
          scales: [
            [
              [1, 5],
              [0, 1],
            ],
            full.scales[1],
          ],
        },
        'ERR_OPTION',
        /^json\.scales\[0\]\[0\]\[1\]: expected 0 above the diagonal, got 5/,
      ],
      [
        {
          ...full,
          scales: [
            [
              [-1, 0],
              [0, 1],
            ],
            full.scales[1],
          ],
        },
        'ERR_NOT_POSITIVE',
        /^json\.scales\[0\]\[0\]\[0\]: expected a number > 0, got -1/,
      ],
    ]
    for (const [json, code, message] of cases) expectError(() => lightBridgeFromJSON(json), code, message)
    expectError(
      () => lightBridgeFromJSON(diagonal, { thread: 1 } as Wrong),
      'ERR_OPTION',
      /^options: unknown name 'thread'/,
    )
  })
})
