import { expect } from 'chai'
import type { ErrorCode } from '../../lib/core/index.js'
import { type SinkhornNewtonSparseOptions, sinkhornBatch, type TransportProblem } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { growable, resizable, transferred } from '../helpers/buffers.js'
import { expectError, expectRejection } from '../helpers/errors.js'
import { adaptiveOn, type Method, paperOn, sinkhornOn } from '../helpers/methods.js'
import { uniform } from '../helpers/transport.js'

// biome-ignore lint/suspicious/noExplicitAny: this file is about values that the types forbid.
type Wrong = any

const cost = () => ({ data: Float64Array.from({ length: 12 }, (_, k) => (7 * k) % 12), shape: [3, 4] })
const good = (): TransportProblem => ({ cost: cost(), a: [0.2, 0.3, 0.5], b: [0.1, 0.2, 0.3, 0.4] })
const options: SinkhornNewtonSparseOptions = { epsilon: 1 }
const { NaN: nan, POSITIVE_INFINITY: infinity, NEGATIVE_INFINITY: minus } = Number

/** Anything but an array or an object that could be one. */
const nonArrays: [Wrong, string][] = [
  [null, 'null'],
  [7, 'number'],
  ['abc', 'string'],
  [true, 'boolean'],
  [1n, 'bigint'],
  [() => 1, 'function'],
]

type Case = [ErrorCode, RegExp | string]

/** Every form of every solver refuses the problem, batches with the place of the problem in front. */
async function refuses(methods: Method[], problem: Wrong, [code, message]: Case): Promise<void> {
  const pattern = message instanceof RegExp ? message.source.replace(/^\^/, '') : escapeText(message)
  const text = new RegExp(`^${pattern}${message instanceof RegExp ? '' : '$'}`)
  const batched = new RegExp(`^problems\\[1\\]\\.${text.source.slice(1)}`)
  for (const method of methods) {
    expectError(() => method.runSync(problem, options), code, text)
    await expectRejection(method.run(problem, options), code, text)
    await expectRejection(method.runBatch([good(), problem, good()], options), code, batched)
  }
}

function escapeText(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

async function refusesOptions(methods: Method[], wrong: Wrong, [code, message]: Case): Promise<void> {
  for (const method of methods) {
    expectError(() => method.runSync(good(), wrong), code, message)
    await expectRejection(method.run(good(), wrong), code, message)
    await expectRejection(method.runBatch([good()], wrong), code, message)
  }
}

describe('transport: bad problems', () => {
  forEachBackend((backend) => {
    const methods = [sinkhornOn(backend), adaptiveOn(backend)]

    it('no problem', async () => {
      for (const [value] of nonArrays)
        await refuses(methods, value, ['ERR_SHAPE', /problem: expected \{ cost, a, b \}, got /])
      await refuses(methods, undefined, ['ERR_SHAPE', 'problem: expected { cost, a, b }, got undefined'])
      await refuses(methods, [], ['ERR_SHAPE', /cost: expected .+, got undefined/])
      await refuses(methods, {}, ['ERR_SHAPE', /cost: expected .+, got undefined/])
    })

    it('names that are not known', async () => {
      await refuses(methods, { ...good(), costs: 1 }, [
        'ERR_OPTION',
        "problem: unknown name 'costs'; did you mean 'cost'?",
      ])
      await refuses(methods, { ...good(), C: 1 }, ['ERR_OPTION', /problem: unknown name 'C'; did you mean '/])
      await refuses(methods, { ...good(), source: 1 }, [
        'ERR_OPTION',
        "problem: unknown name 'source'; known are cost, a, b",
      ])
    })

    it('costs that are no matrix', async () => {
      for (const [value, type] of nonArrays) {
        await refuses(methods, { cost: value }, ['ERR_SHAPE', `cost: expected a matrix, got ${type}`])
      }
      await refuses(methods, { cost: [1, 2] }, ['ERR_SHAPE', /cost\[0\]: expected a row of .*numbers, got number/])
      await refuses(methods, { cost: [[1, 2], [3]] }, [
        'ERR_SHAPE',
        'cost[1]: expected a row of 2 numbers, got 1 numbers',
      ])
      await refuses(methods, { cost: [['1']] }, ['ERR_SHAPE', 'cost[0][0]: expected a number, got string'])
      await refuses(methods, { cost: { data: new Float64Array(3), shape: [2, 2] } }, [
        'ERR_SHAPE',
        'cost: expected data for shape 2×2 (stride 2, 1; offset 0), got 3 numbers',
      ])
      for (const kind of [
        { kind: 'points' },
        { kind: 'points', metric: 'sqeuclidean', x: 1, y: 2 },
        { kind: 'points', x: [[1]], y: [[1]] },
        {
          kind: 'points',
          x: { data: new Float64Array(3), rows: 2, columns: 2 },
          y: { data: new Float64Array(2), rows: 1, columns: 2 },
        },
      ]) {
        await refuses(methods, { cost: kind }, ['ERR_SHAPE', /cost\.x: expected .+, got /])
      }
    })

    it('empty costs', async () => {
      for (const [empty, shape] of [
        [[], '0×0'],
        [[[], []], '2×0'],
        [{ data: new Float64Array(0), shape: [0, 3] }, '0×3'],
        [{ data: new Float64Array(0), shape: [3, 0] }, '3×0'],
      ]) {
        await refuses(methods, { cost: empty }, ['ERR_SHAPE', `cost: expected a non-empty matrix, got ${shape}`])
      }
    })

    it('weights that do not match the costs', async () => {
      await refuses(methods, { ...good(), a: uniform(4) }, [
        'ERR_SHAPE',
        'a: expected 3 weights to match the 3×4 cost, got 4',
      ])
      await refuses(methods, { ...good(), b: uniform(3) }, [
        'ERR_SHAPE',
        'b: expected 4 weights to match the 3×4 cost, got 3',
      ])
      await refuses(methods, { ...good(), a: [] }, ['ERR_SHAPE', 'a: expected 3 weights to match the 3×4 cost, got 0'])
      for (const [value, type] of nonArrays) {
        await refuses(methods, { ...good(), a: value }, ['ERR_SHAPE', `a: expected a vector of numbers, got ${type}`])
        await refuses(methods, { ...good(), b: value }, ['ERR_SHAPE', `b: expected a vector of numbers, got ${type}`])
      }
      await refuses(methods, { ...good(), a: [0.5, '0.5', 0] }, ['ERR_SHAPE', 'a[1]: expected a number, got string'])
    })

    it('weights that are no weights, at every place', async () => {
      for (const name of ['a', 'b'] as const) {
        const length = name === 'a' ? 3 : 4
        for (let at = 0; at < length; at++) {
          for (const [value, code] of [
            [nan, 'ERR_NOT_FINITE'],
            [infinity, 'ERR_NOT_FINITE'],
            [minus, 'ERR_NOT_FINITE'],
            [-1e-300, 'ERR_NOT_POSITIVE'],
            [-0.5, 'ERR_NOT_POSITIVE'],
          ] as const) {
            const weights = uniform(length)
            weights[at] = value
            const message = `${name}[${at}]: expected a finite weight >= 0, got ${value}`
            await refuses(methods, { ...good(), [name]: weights }, [code, message])
          }
        }
      }
    })

    it('no mass at all, or more than a number can hold', async () => {
      await refuses(methods, { cost: [[1, 2]], a: [0] }, [
        'ERR_MASS',
        'a: expected weights with a positive finite total, got 0',
      ])
      await refuses(methods, { cost: [[1, 2]], b: [0, 0] }, [
        'ERR_MASS',
        'b: expected weights with a positive finite total, got 0',
      ])
      await refuses(methods, { cost: [[1, 2]], b: [1e308, 1e308] }, [
        'ERR_MASS',
        'b: expected weights with a positive finite total, got Infinity',
      ])
    })

    it('totals that differ by more than rounding', async () => {
      const scaled = (factor: number) => ({ cost: [[1, 2]], a: [factor], b: [0.5, 0.5] })
      for (const factor of [2, 0.5, 1 + 2e-6, 1 - 2e-6, 1e-3]) {
        await refuses(methods, scaled(factor), [
          'ERR_MASS',
          new RegExp(`a, b: expected equal totals \\(to 1e-6\\), got ${factor} and 1; rescale one of them`),
        ])
      }
      for (const factor of [1 + 9e-7, 1 - 9e-7, 1 + 1e-15]) {
        for (const method of methods) {
          const { status, value } = method.runSync(scaled(factor), { epsilon: 1 })
          expect(status).to.equal('converged')
          expect(value).to.be.closeTo(1.5 * factor, 1e-8)
        }
      }
    })

    it('NaN and -Infinity among the costs, at every place', async () => {
      for (const [value, text] of [
        [nan, 'NaN'],
        [minus, '-Infinity'],
      ] as const) {
        for (let k = 0; k < 12; k++) {
          const wrong = cost()
          wrong.data[k] = value
          const place = `cost[${Math.floor(k / 4)}][${k % 4}]`
          await refuses(methods, { ...good(), cost: wrong }, [
            'ERR_NOT_FINITE',
            new RegExp(`${escapeText(place)}: expected a finite number .*, got ${text}`),
          ])
        }
      }
    })

    it('NaN anywhere in wider and longer matrices, of both precisions', () => {
      for (const [n, m] of [
        [1, 70],
        [2, 33],
        [41, 3],
        [300, 200],
      ]) {
        const places = n * m > 1000 ? [0, 199, 12345, 59_799, 59_999] : Array.from({ length: n * m }, (_, k) => k)
        for (const data of [new Float64Array(n * m), new Float32Array(n * m)]) {
          for (const k of places) {
            data[k] = nan
            const place = `cost[${Math.floor(k / m)}][${k % m}]`
            for (const precision of ['float64', 'float32'] as const) {
              expectError(
                () => sinkhornOn(backend).runSync({ cost: { data, shape: [n, m] } }, { epsilon: 1, precision }),
                'ERR_NOT_FINITE',
                new RegExp(`^${escapeText(place)}: expected a finite number .*, got NaN`),
              )
            }
            data[k] = 0
          }
        }
      }
    })

    it('memory that may go away', async () => {
      const shape = [3, 4]
      for (const make of [resizable, growable]) {
        const fixed = /: expected memory of fixed length, got a resizable buffer/
        await refuses(methods, { ...good(), cost: { data: make(12), shape } }, [
          'ERR_BUFFER',
          new RegExp(`cost${fixed.source}`),
        ])
        await refuses(methods, { ...good(), a: make(3) }, ['ERR_BUFFER', new RegExp(`a${fixed.source}`)])
        await refuses(methods, { ...good(), b: make(4) }, ['ERR_BUFFER', new RegExp(`b${fixed.source}`)])
      }
      const gone = ': expected an array, got one whose buffer was transferred away'
      await refuses(methods, { ...good(), cost: { data: transferred(new Float64Array(12)), shape } }, [
        'ERR_BUFFER',
        `cost${gone}`,
      ])
      await refuses(methods, { ...good(), cost: { data: transferred(new Float32Array(12)), shape } }, [
        'ERR_BUFFER',
        `cost${gone}`,
      ])
      await refuses(methods, { ...good(), a: transferred(uniform(3)) }, ['ERR_BUFFER', `a${gone}`])
      await refuses(methods, { ...good(), b: transferred(uniform(4)) }, ['ERR_BUFFER', `b${gone}`])
    })

    it('batches that are none', async () => {
      for (const method of methods) {
        for (const wrong of [undefined, null, 7, {}, good(), 'abc']) {
          await expectRejection(
            method.runBatch(wrong as Wrong, options),
            'ERR_SHAPE',
            /^problems: expected an array of problems, got /,
          )
        }
        await expectRejection(
          method.runBatch([good()], { ...options, history: true }),
          'ERR_OPTION',
          /^history: expected /,
        )
        const warmStart = { f: [0, 0, 0], g: [0, 0, 0, 0] }
        await expectRejection(
          method.runBatch([good()], { ...options, warmStart }),
          'ERR_OPTION',
          /^warmStart: expected /,
        )
      }
    })
  })
})

describe('transport: bad options', () => {
  forEachBackend((backend) => {
    const methods = [sinkhornOn(backend), adaptiveOn(backend)]

    it('no options, or no epsilon', async () => {
      for (const wrong of [undefined, null, 7, 'abc', true]) {
        // Straight to the function: the preset of the helper would make an object of it.
        await expectRejection(
          sinkhornBatch([good()], wrong as Wrong),
          'ERR_OPTION',
          /^options: expected \{ epsilon, … \}, got /,
        )
      }
      await refusesOptions(methods, {}, ['ERR_OPTION', 'epsilon: expected a finite number > 0, got undefined'])
    })

    it('epsilon', async () => {
      for (const epsilon of [0, -0, -1, infinity, minus]) {
        await refusesOptions(methods, { epsilon }, [
          'ERR_NOT_POSITIVE',
          `epsilon: expected a finite number > 0, got ${epsilon}`,
        ])
      }
      for (const epsilon of [nan, undefined, null, '0.1', [0.1], {}, true, 1n, () => 1]) {
        await refusesOptions(methods, { epsilon }, ['ERR_OPTION', /^epsilon: expected a finite number > 0, got /])
      }
    })

    it('names that are not known', async () => {
      for (const [typo, meant] of [
        ['epsilonn', 'epsilon'],
        ['tolerence', 'tolerance'],
        ['maxIter', 'maxIterations'],
        ['maxiterations', 'maxIterations'],
        ['timelimit', 'timeLimit'],
        ['thread', 'threads'],
        ['onprogress', 'onProgress'],
        ['warmstart', 'warmStart'],
        ['precison', 'precision'],
        ['certifcate', 'certificate'],
        ['backends', 'backend'],
        ['signals', 'signal'],
      ]) {
        await refusesOptions(methods, { ...options, [typo]: 1 }, [
          'ERR_OPTION',
          `options: unknown name '${typo}'; did you mean '${meant}'?`,
        ])
      }
      await refusesOptions(methods, { ...options, reg: 1 }, ['ERR_OPTION', /^options: unknown name 'reg'; /])
    })

    it("the paper's options go with the paper's form, and not with sinkhorn", async () => {
      const [sinkhornMethod, adaptive] = methods
      for (const name of ['variant', 'sinkhornIterations', 'sparsity']) {
        await refusesOptions([sinkhornMethod], { ...options, [name]: 1 }, [
          'ERR_OPTION',
          new RegExp(`^options: unknown name '${name}'; `),
        ])
      }
      for (const name of ['sinkhornIterations', 'sparsity']) {
        for (const variant of [{}, { variant: 'adaptive' }]) {
          const wrong = { ...options, ...variant, [name]: 1 }
          await refusesOptions([adaptive], wrong, [
            'ERR_OPTION',
            new RegExp(`^${name}: expected with variant: 'paper' only, got `),
          ])
        }
      }
      const paper = [paperOn(backend)]
      for (const sparsity of [0, -0.5, infinity]) {
        await refusesOptions(paper, { ...options, sparsity }, [
          'ERR_NOT_POSITIVE',
          /^sparsity: expected a finite number > 0, got /,
        ])
      }
      await refusesOptions(paper, { ...options, sparsity: 1.01 }, [
        'ERR_OPTION',
        'sparsity: expected a fraction in (0, 1], got 1.01',
      ])
      await refusesOptions(paper, { ...options, sparsity: '0.5' }, ['ERR_OPTION', /^sparsity: expected /])
      for (const sinkhornIterations of [-1, 0.5, nan, '20']) {
        await refusesOptions(paper, { ...options, sinkhornIterations }, [
          'ERR_OPTION',
          /^sinkhornIterations: expected a whole number from 0 /,
        ])
      }
      await refusesOptions([adaptive], { ...options, variant: 'papre' }, [
        'ERR_OPTION',
        "variant: expected one of 'adaptive', 'paper', got 'papre'; did you mean 'paper'?",
      ])
    })

    it('numbers', async () => {
      for (const tolerance of [-1, nan, infinity, '1e-9', null]) {
        await refusesOptions(methods, { ...options, tolerance }, [
          'ERR_OPTION',
          /^tolerance: expected a finite number >= 0, got /,
        ])
      }
      for (const maxIterations of [0, -1, 1.5, nan, infinity, 2 ** 31, '10', null]) {
        await refusesOptions(methods, { ...options, maxIterations }, [
          'ERR_OPTION',
          /^maxIterations: expected a whole number from 1 to 2147483647, got /,
        ])
      }
      for (const threads of [0, -1, 65, 1.5, nan, infinity, '2', null]) {
        await refusesOptions(methods, { ...options, threads }, [
          'ERR_OPTION',
          /^threads: expected a whole number from 1 to 64, got /,
        ])
      }
      for (const timeLimit of [0, -1, infinity]) {
        await refusesOptions(methods, { ...options, timeLimit }, [
          'ERR_NOT_POSITIVE',
          /^timeLimit: expected a finite number > 0, got /,
        ])
      }
      for (const timeLimit of [nan, '100', null]) {
        await refusesOptions(methods, { ...options, timeLimit }, [
          'ERR_OPTION',
          /^timeLimit: expected a finite number > 0, got /,
        ])
      }
    })

    it('words and flags', async () => {
      await refusesOptions(methods, { ...options, precision: 'float3' }, [
        'ERR_OPTION',
        "precision: expected one of 'float64', 'float32', got 'float3'; did you mean 'float32'?",
      ])
      await refusesOptions(methods, { ...options, precision: 32 }, ['ERR_OPTION', /^precision: expected one of /])
      await refusesOptions(methods, { ...options, backend: 'nativ' }, [
        'ERR_OPTION',
        "backend: expected one of 'native', 'portable', got 'nativ'; did you mean 'native'?",
      ])
      await refusesOptions(methods, { ...options, backend: null }, [
        'ERR_OPTION',
        /^backend: expected one of .+, got null$/,
      ])
      for (const value of [1, 'yes', null]) {
        await refusesOptions(methods, { ...options, certificate: value }, [
          'ERR_OPTION',
          /^certificate: expected true or false, got /,
        ])
        await refusesOptions(methods, { ...options, history: value }, [
          'ERR_OPTION',
          /^history: expected true or false, got /,
        ])
      }
    })

    it('callbacks and signals', async () => {
      for (const onProgress of [1, 'log', {}, null, []]) {
        await refusesOptions(methods, { ...options, onProgress }, [
          'ERR_OPTION',
          /^onProgress: expected a function, got /,
        ])
      }
      for (const signal of [1, 'abort', {}, null, { aborted: false }, new AbortController(), new EventTarget()]) {
        await refusesOptions(methods, { ...options, signal }, ['ERR_OPTION', /^signal: expected an AbortSignal, got /])
      }
    })

    it('starts', () => {
      const f = [0, 0, 0]
      const g = [0, 0, 0, 0]
      for (const method of methods) {
        const refused = (warmStart: Wrong, code: ErrorCode, message: RegExp | string) =>
          expectError(() => method.runSync(good(), { ...options, warmStart }), code, message)
        for (const [value] of nonArrays) refused(value, 'ERR_OPTION', /^warmStart: expected \{ f, g \}, got /)
        refused({}, 'ERR_SHAPE', 'warmStart.f: expected a vector of numbers, got undefined')
        refused({ f }, 'ERR_SHAPE', 'warmStart.g: expected a vector of numbers, got undefined')
        refused({ f, g, h: 1 }, 'ERR_OPTION', /^warmStart: unknown name 'h'; /)
        refused({ f: [0, 0], g }, 'ERR_SHAPE', 'warmStart.f: expected 3 numbers, got 2')
        refused({ f, g: [0, 0, 0, 0, 0] }, 'ERR_SHAPE', 'warmStart.g: expected 4 numbers, got 5')
        refused({ f: 'abc', g }, 'ERR_SHAPE', 'warmStart.f: expected a vector of numbers, got string')
        refused({ f: transferred(new Float64Array(3)), g }, 'ERR_BUFFER', /^warmStart\.f: .+transferred away$/)
        refused({ f: resizable(3), g }, 'ERR_BUFFER', /^warmStart\.f: expected memory of fixed length/)
        for (const value of [nan, infinity, minus]) {
          for (let at = 0; at < 4; at++) {
            const bad = g.map((x, j) => (j === at ? value : x))
            refused({ f, g: bad }, 'ERR_NOT_FINITE', `warmStart.g[${at}]: expected a finite number, got ${value}`)
          }
          refused({ f: [0, value, 0], g }, 'ERR_NOT_FINITE', `warmStart.f[1]: expected a finite number, got ${value}`)
        }
      }
    })

    it('a signal that is aborted already: its reason, before any work', async () => {
      const reason = { why: 'enough' }
      const wrong = { cost: 'never looked at' } as Wrong
      for (const method of methods) {
        for (const [signal, expected] of [
          [AbortSignal.abort(), 'AbortError'],
          [AbortSignal.abort(reason), reason],
        ] as const) {
          const calls = [
            async () => method.runSync(wrong, { ...options, signal }),
            () => method.run(wrong, { ...options, signal }),
            () => method.runBatch(wrong, { ...options, signal }),
          ]
          for (const call of calls) {
            const came = await call().then(
              () => undefined,
              (error) => error,
            )
            if (expected === 'AbortError') expect(came).to.have.property('name', 'AbortError')
            else expect(came).to.equal(reason)
          }
        }
      }
    })
  })
})
