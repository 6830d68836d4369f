import { expect } from 'chai'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'

describe('withArena', () => {
  afterEach(() => t.releaseArena())

  forEachBackend((backend) => {
    const on = (body: () => void) => () => t.withBackend(backend, body)

    it(
      'gives the same steps as without, in memory that comes round',
      on(() => {
        const x = t.reshape(t.arange(0, 200), [10, 20])
        const step = (w: t.Tensor): t.Tensor => {
          const g = t.grad((v: t.Tensor) => t.mean(t.square(t.tanh(t.mul(t.matmul(x, v), 1e-3)))))(w)
          return t.sub(w, t.mul(0.1, g))
        }
        let [plain, recycled] = [t.ones([20, 8]), t.ones([20, 8])]
        const buffers = new Set<ArrayBufferLike>()
        for (let k = 0; k < 20; k++) {
          plain = step(plain)
          recycled = t.withArena(() => step(recycled))
          buffers.add(recycled.data.buffer)
          expect([...recycled.data]).to.deep.equal([...plain.data])
        }
      }),
    )

    it(
      'takes back what is not returned',
      on(() => {
        let lost: t.Tensor | undefined
        const kept = t.withArena(() => {
          lost = t.exp(t.zeros([100]))
          return { a: [t.exp(t.ones([100]))], b: t.slice(t.exp(t.ones([10, 10])), [[2, 4]]), n: 3 }
        })
        expectError(() => (lost as t.Tensor).data, 'ERR_BUFFER', /tensor: .*\[100\]/)
        expectError(() => t.add(lost as t.Tensor, 1), 'ERR_BUFFER', /arena/)
        t.withArena(() => {
          for (let k = 0; k < 5; k++) t.zeros([100])
        })
        expect(kept.a[0].data[99]).to.be.closeTo(Math.E, 1e-15)
        expect(kept.b.data[19]).to.be.closeTo(Math.E, 1e-15)
        expect(kept.n).to.equal(3)
      }),
    )

    it(
      'refuses a tape whose values were freed',
      on(() => {
        let pullback: ((u: t.Tensor) => t.Tensor) | undefined
        t.withArena(() => {
          pullback = t.vjp((x: t.Tensor) => t.sum(t.exp(x)), t.ones([100])).pullback
        })
        expectError(() => pullback?.(t.tensor(1)), 'ERR_BUFFER', /arena/)
      }),
    )

    it(
      'nests: what an inner one returns belongs to the outer',
      on(() => {
        let middle: t.Tensor | undefined
        const out = t.withArena(() => {
          middle = t.withArena(() => t.exp(t.zeros([100])))
          t.withArena(() => t.exp(t.ones([100])))
          return t.add(middle, 1)
        })
        expect(out.data[50]).to.equal(2)
      }),
    )
  })

  it('keeps what passes through several arenas, and gives it to the one around', () => {
    const fill = (): void => {
      t.withArena(() => {
        for (let k = 0; k < 4; k++) t.full([100], 7)
      })
    }
    const nested = t.withArena(() => t.withArena(() => t.exp(t.zeros([100]))))
    const raw = t.withArena(() => t.withArena(() => t.exp(t.zeros([100])).data))
    const around = t.withArena(() => {
      const outer = t.exp(t.zeros([100]))
      return t.withArena(() => ({ same: outer, part: t.slice(outer, [[0, 80]]) }))
    })
    const wrapped = t.withArena(() => t.fromData(t.exp(t.zeros([100])).data, [100]))
    fill()
    for (const { data } of [nested, around.same, around.part, wrapped]) expect(data[0]).to.equal(1)
    expect(raw[0]).to.equal(1)
    let lost: t.Tensor | undefined
    t.withArena(() => {
      lost = t.withArena(() => t.exp(t.zeros([100])))
      fill()
      expect(lost.data[0]).to.equal(1)
    })
    expectError(() => (lost as t.Tensor).data, 'ERR_BUFFER', /arena/)
    let through: t.Tensor | undefined
    t.withArena(() => {
      const outer = t.exp(t.zeros([100]))
      through = t.withArena(() => outer)
    })
    expectError(() => (through as t.Tensor).data, 'ERR_BUFFER', /arena/)
  })

  it('leaves the arena when the function throws', () => {
    expect(() =>
      t.withArena(() => {
        throw new Error('stop')
      }),
    ).to.throw('stop')
    const x = t.exp(t.zeros([100]))
    t.withArena(() => t.zeros([100]))
    expect(x.data[0]).to.equal(1)
  })
})
