import {
  categorical,
  conditional,
  createStudy,
  fixed,
  integer,
  ordinal,
  type ParamsOf,
  real,
  searchSpace,
} from '../../lib/bayes/index.js'

/** Compiles only if both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <_ extends true>() => {}

const space = {
  lr: real(1e-5, 1, { log: true }),
  layers: integer(1, 8),
  activation: categorical(['relu', 'gelu']),
  batch: ordinal([16, 32, 64]),
  bias: categorical([true, false]),
  version: fixed('v2'),
  optimizer: conditional({
    sgd: { momentum: real(0, 1), nesterov: categorical([true, false]) },
    adam: { beta: conditional({ one: { beta1: real(0, 1) }, none: {} }) },
  }),
}

interface Params {
  lr: number
  layers: number
  activation: 'relu' | 'gelu'
  batch: 16 | 32 | 64
  bias: boolean
  version: 'v2'
  optimizer:
    | { choice: 'sgd'; momentum: number; nesterov: boolean }
    | { choice: 'adam'; beta: { choice: 'one'; beta1: number } | { choice: 'none' } }
}

// What is asserted here is asserted by the compiler.
describe('types of spaces', () => {
  it('are inferred from the literal', () => {
    same<Same<ParamsOf<typeof space>, Params extends infer P ? { [K in keyof P]: P[K] } : never>>()
  })

  it('reach the objective, the constraints and the results', async () => {
    const study = await createStudy({ space: searchSpace(space, { where: ({ layers, batch }) => layers <= batch }) })
    const { params } = await study.ask()
    same<Same<typeof params.activation, 'relu' | 'gelu'>>()
    const { optimizer } = params
    if (optimizer.choice === 'sgd') same<Same<typeof optimizer.momentum, number>>()
    // @ts-expect-error momentum belongs to the other branch
    if (optimizer.choice === 'adam') optimizer.momentum?.toFixed()
    // @ts-expect-error no such parameter
    void params.rate
    await study.optimize(({ lr }) => lr, { trials: 1 })
    // @ts-expect-error an objective gives a number
    const wrong = () => study.optimize(() => 'good', { trials: 1 })
    void wrong
    // @ts-expect-error 48 is no choice of batch
    const misplaced = () => study.enqueue({ ...params, batch: 48 })
    void misplaced
    const value: number | undefined = study.best?.params.lr
    void value
    const literal = await createStudy({ space: { mode: categorical(['a', 'b']), n: integer(1, 3) } })
    const { params: point } = await literal.ask()
    same<Same<typeof point, { mode: 'a' | 'b'; n: number }>>()
  })
})
