import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { gradientFile, mfac, mfacSync } from '../../lib/curvature/index.js'
import { conjugateGradientSync } from '../../lib/linear/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { resizable, transferred } from '../helpers/buffers.js'
import { expectClose } from '../helpers/close.js'
import { expectError, expectRejection, refusing, rejection } from '../helpers/errors.js'
import { fisherProduct, inverseFisher, Recursion, randomGradients, relativeError } from '../helpers/fisher.js'
import { times } from '../helpers/matrices.js'
import { check } from '../helpers/property.js'
import { fill, randomNormal } from '../helpers/random.js'

const view = (data: Float64Array | Float32Array, d: number) => ({ data, shape: [data.length / d, d] })

describe('curvature: mfac', () => {
  forEachBackend((backend) => {
    it('equals the dense inverse and the printed recursion, for any m and d', () => {
      check(
        fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), fc.nat(), (m, d, seed) => {
          const g = randomGradients(m, d, seed)
          const x = fill(d, randomNormal(seed + 1))
          const inverse = mfacSync({ gradients: view(g, d) }, { damping: 0.1, backend })
          const product = inverse.ihvpSync(x)
          expect(relativeError(product, times(inverseFisher(g, d, 0.1), x))).to.be.at.most(1e-11)
          expect(relativeError(product, new Recursion(g, d, 0.1).product(x))).to.be.at.most(1e-10)
        }),
        { runs: 25 },
      )
    })

    it('equals them with the damping of the paper', async () => {
      const [m, d] = [30, 60]
      const g = randomGradients(m, d, 1)
      const x = fill(d, randomNormal(2))
      const inverse = await mfac({ gradients: view(g, d) }, { backend })
      expect(inverse.damping).to.equal(1e-5)
      expect(inverse.backend).to.equal(backend)
      const product = await inverse.ihvp(x)
      expect(relativeError(product, times(inverseFisher(g, d, 1e-5), x))).to.be.at.most(1e-10)
      expect(relativeError(product, new Recursion(g, d, 1e-5).product(x))).to.be.at.most(1e-9)
      expect(relativeError(fisherProduct(g, d, 1e-5, product), x)).to.be.at.most(1e-9)
    })

    it('gives entries and the diagonal of the inverse', async () => {
      for (const [m, d, block] of [
        [20, 45, 45],
        [50, 30, 30],
        [12, 45, 20],
        [40, 45, 7],
      ]) {
        const g = randomGradients(m, d, m + d)
        const dense = inverseFisher(g, d, 0.01, block)
        const inverse = await mfac({ gradients: view(g, d) }, { damping: 0.01, blockSize: block, backend })
        const all = await inverse.entries(Array.from({ length: d }, (_, j) => j))
        const scale = Math.max(...dense.map((row, j) => row[j]))
        for (let i = 0; i < d; i++) {
          for (let j = 0; j < d; j++) {
            expect(all.data[i * d + j]).to.be.closeTo(dense[i][j], 1e-12 * scale)
            expect(all.data[i * d + j]).to.equal(all.data[j * d + i])
          }
        }
        const diagonal = await inverse.diagonal()
        expect(
          relativeError(
            diagonal,
            dense.map((row, j) => row[j]),
          ),
        ).to.be.at.most(1e-11)
        expect(Math.min(...diagonal)).to.be.above(0)
        expect(Math.max(...diagonal)).to.be.at.most(100)
        for (const [i, j] of [
          [3, 11],
          [8, 8],
          [d - 1, 0],
        ]) {
          expect(await inverse.entry(i, j)).to.be.closeTo(dense[i][j], 1e-12 * scale)
          expect(inverse.entrySync(i, j)).to.equal(await inverse.entry(i, j))
        }
        expect(inverse.diagonalSync()).to.deep.equal(diagonal)
      }
    })

    it('of blocks is the inverse of the block diagonal; one block is all', async () => {
      for (const [m, d, block] of [
        [10, 47, 16],
        [10, 48, 16],
        [30, 47, 16],
        [30, 47, 1],
        [5, 47, 46],
      ]) {
        const g = randomGradients(m, d, d * block)
        const x = fill(d, randomNormal(3))
        const inverse = await mfac({ gradients: view(g, d) }, { damping: 0.01, blockSize: block, backend })
        const expected = times(inverseFisher(g, d, 0.01, block), x)
        expect(relativeError(await inverse.ihvp(x), expected)).to.be.at.most(1e-11)
        const whole = mfacSync({ gradients: view(g, d) }, { damping: 0.01, blockSize: d, backend }).ihvpSync(x)
        const wider = mfacSync({ gradients: view(g, d) }, { damping: 0.01, blockSize: 10 * d, backend }).ihvpSync(x)
        const none = mfacSync({ gradients: view(g, d) }, { damping: 0.01, backend }).ihvpSync(x)
        expect(whole).to.deep.equal(none)
        expect(wider).to.deep.equal(none)
      }
    })

    it('is the same by pages, from memory and from a file', async () => {
      const [m, d] = [23, 41]
      const g = Float32Array.from(randomGradients(m, d, 5))
      const x = fill(d, randomNormal(6))
      const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-mfac-'))
      try {
        const name = path.join(folder, 'gradients')
        writeFileSync(name, g)
        const asked: number[][] = []
        const pages = {
          shape: [m, d] as const,
          rows: (from: number, to: number) => {
            asked.push([from, to])
            return view(g.slice(from * d, to * d), d)
          },
        }
        const file = gradientFile(name, { shape: [m, d] })
        for (const blockSize of [d, 30, 6]) {
          const options = { damping: 1e-3, blockSize, backend }
          const resident = await mfac({ gradients: view(g, d) }, options)
          for (const [pageSize, gradients] of [
            [5, pages],
            [23, pages],
            [7, file],
          ] as const) {
            const paged = await mfac({ gradients }, { ...options, pageSize })
            expect(relativeError(await paged.ihvp(x), await resident.ihvp(x))).to.be.at.most(1e-12)
            expect(relativeError(await paged.diagonal(), await resident.diagonal())).to.be.at.most(1e-12)
            expect(await paged.entry(40, 3)).to.be.closeTo(await resident.entry(40, 3), 1e-12 * 1e3)
            expect(paged.memoryBytes).to.be.below(resident.memoryBytes + 1)
          }
        }
        expect(asked.every(([from, to]) => to - from <= 23 && to <= m)).to.equal(true)
        const sync = mfacSync({ gradients: pages }, { damping: 1e-3, pageSize: 4, backend })
        expect(
          relativeError(sync.ihvpSync(x), mfacSync({ gradients: view(g, d) }, { damping: 1e-3, backend }).ihvpSync(x)),
        ).to.be.at.most(1e-12)
        const shorter = gradientFile(name, { shape: [m + 1, d] })
        await expectRejection(mfac({ gradients: shorter }, { backend }), 'ERR_ORACLE', /gradients: expected 3936 bytes/)
        expectError(
          () => mfacSync({ gradients: file }, { backend }),
          'ERR_ORACLE',
          /expected numbers in the …Sync form/,
        )
      } finally {
        rmSync(folder, { recursive: true })
      }
    })

    it('keeps its digits with gradients in float32, where the recursion loses them', async () => {
      const [m, d, damping] = [128, 2000, 1e-5]
      const g = Float32Array.from(randomGradients(m, d, 7))
      const x = g.slice(3 * d, 4 * d)
      const exact = new Recursion(g, d, damping).product(x)
      const inverse = await mfac({ gradients: view(g, d) }, { damping, backend })
      const product = await inverse.ihvp(Float64Array.from(x))
      expect(product).to.be.instanceOf(Float64Array)
      expect(relativeError(fisherProduct(g, d, damping, product), x)).to.be.at.most(1e-9)
      expect(relativeError(product, exact)).to.be.at.most(1e-6)
      const narrow = await inverse.ihvp(x)
      expect(narrow).to.be.instanceOf(Float32Array)
      expect(relativeError(narrow, product)).to.be.at.most(1e-6)
      // The trap itself, on fewer rows and columns.
      const part = Float32Array.from(randomGradients(32, 500, 8))
      const own = part.subarray(0, 500)
      const rounded = new Recursion(part, 500, damping, Math.fround).product(own)
      const right = new Recursion(part, 500, damping).product(own)
      expect(relativeError(rounded, right)).to.be.above(0.05)
      const ours = mfacSync({ gradients: view(part, 500) }, { damping, backend }).ihvpSync(own)
      expect(relativeError(ours, right)).to.be.at.most(1e-6)
    })

    it('agrees with conjugate gradients on the operator', () => {
      const [m, d] = [25, 300]
      const g = randomGradients(m, d, 9)
      const b = fill(d, randomNormal(10))
      const matrix = { kind: 'low-rank', factor: view(g, d), diagonal: 0.05, scale: 1 / m } as const
      const { x } = conjugateGradientSync({ matrix, b }, { tolerance: 1e-13, backend })
      const ours = mfacSync({ gradients: view(g, d) }, { damping: 0.05, backend }).ihvpSync(b)
      expect(relativeError(ours, x)).to.be.at.most(1e-10)
    })

    it('does not depend on threads, nor on what is done at the same time', async () => {
      const [m, d] = [33, 40_000]
      const g = Float32Array.from(randomGradients(m, d, 11))
      const x = fill(d, randomNormal(12))
      const one = await mfac({ gradients: view(g, d) }, { threads: 1, backend })
      const two = await mfac({ gradients: view(g, d) }, { threads: 2, backend })
      const expected = one.ihvpSync(x)
      const products = await Promise.all([two.ihvp(x), two.ihvp(x), one.ihvp(x)])
      for (const product of products) expect(product).to.deep.equal(expected)
      expect(relativeError(fisherProduct(g, d, 1e-5, expected), x)).to.be.at.most(1e-6)
    })

    it('of zero gradients divides by the damping', () => {
      const inverse = mfacSync({ gradients: view(new Float64Array(3 * 5), 5) }, { damping: 0.5, backend })
      expectClose([Array.from(inverse.ihvpSync([1, 2, 3, 4, 5]))], [[2, 4, 6, 8, 10]], 0)
      expect(Array.from(inverse.diagonalSync())).to.deep.equal([2, 2, 2, 2, 2])
    })

    it('may be aborted', async () => {
      const g = randomGradients(256, 4000, 13)
      const controller = new AbortController()
      const building = mfac({ gradients: view(g, 4000) }, { signal: controller.signal, backend })
      setImmediate(() => controller.abort(new Error('enough')))
      expect(await rejection(building)).to.have.property('message', 'enough')
      const inverse = mfacSync({ gradients: view(g.subarray(0, 40_000), 4000) }, { backend })
      const aborted = inverse.ihvp(g.subarray(0, 4000), { signal: AbortSignal.abort(new Error('no')) })
      expect(await rejection(aborted)).to.have.property('message', 'no')
    })

    it('refuses what it cannot use, and says what', async () => {
      const refuse = refusing(mfac, mfacSync)
      const rows = [
        [1, 2],
        [3, 4],
      ]
      await refuse({ gradients: rows }, { damping: 0, backend }, 'ERR_NOT_POSITIVE', /^damping: /)
      await refuse({ gradients: rows }, { damping: Number.NaN, backend }, 'ERR_OPTION', /^damping: /)
      await refuse(
        { gradients: [] },
        { backend },
        'ERR_SHAPE',
        'gradients: expected at least one row of numbers, got 0×0',
      )
      await refuse(
        { gradients: [[1, 2], [3]] },
        { backend },
        'ERR_SHAPE',
        /^gradients\[1\]: expected a row of 2 numbers/,
      )
      await refuse({ gradients: rows }, { pageSize: 2, backend }, 'ERR_OPTION', /^pageSize: /)
      await refuse({ gradients: rows }, { blockSize: 0, backend }, 'ERR_OPTION', /^blockSize: /)
      await refuse({ gradients: rows }, { dampening: 1, backend }, 'ERR_OPTION', /did you mean 'damping'/)
      await refuse({ gradient: rows }, { backend }, 'ERR_OPTION', /did you mean 'gradients'/)
      await refuse(null, { backend }, 'ERR_SHAPE', /^problem: /)
      for (const [bad, text] of [
        [Number.NaN, 'NaN'],
        [Number.NEGATIVE_INFINITY, '-Infinity'],
      ] as const) {
        for (const blockSize of [1, 2, 7]) {
          const g = randomGradients(3, 7, 14)
          g[2 * 7 + 4] = bad
          const message = `gradients[2][4]: expected a finite number, got ${text}`
          await refuse({ gradients: view(g, 7) }, { blockSize, backend }, 'ERR_NOT_FINITE', message)
          await refuse({ gradients: view(Float32Array.from(g), 7) }, { blockSize, backend }, 'ERR_NOT_FINITE', message)
        }
      }
      const huge = [[1e160, 1]]
      await refuse({ gradients: huge }, { backend }, 'ERR_NOT_FINITE', /overflow; rescale/)
      await refuse(
        { gradients: [[1e150, 1]] },
        { backend },
        'ERR_NOT_FINITE',
        /at most 1e300 times the damping, got 1\.00e\+305/,
      )
      const twins = Array.from({ length: 4 }, () => [1, 0, 0, 0, 0])
      await refuse({ gradients: twins }, { damping: 1e-18, backend }, 'ERR_SINGULAR', /^damping: /)
      await refuse({ gradients: { shape: [2], rows: () => rows } }, { backend }, 'ERR_SHAPE', /^gradients\.shape: /)
      const wrong = { shape: [4, 2], rows: () => rows }
      await refuse({ gradients: wrong }, { pageSize: 3, backend }, 'ERR_ORACLE', /expected 3×2 numbers, got 2×2/)
      let asked = 0
      const changing = { shape: [2, 2], rows: () => view(asked++ === 0 ? new Float32Array(2) : new Float64Array(2), 2) }
      expectError(
        () => mfacSync({ gradients: changing as never }, { pageSize: 1, backend }),
        'ERR_DTYPE',
        'gradients.rows: expected float32 as before, got float64',
      )
      await refuse({ gradients: { data: resizable(4), shape: [2, 2] } }, { backend }, 'ERR_BUFFER', /resizable/)
      await refuse(
        { gradients: { data: transferred(new Float64Array(4)), shape: [2, 2] } },
        { backend },
        'ERR_BUFFER',
        /away/,
      )
      const inverse = mfacSync({ gradients: rows }, { backend })
      expectError(() => inverse.ihvpSync([1]), 'ERR_SHAPE', 'x: expected 2 numbers to match the gradients, got 1')
      await expectRejection(inverse.ihvp([1, Number.NaN]), 'ERR_NOT_FINITE', /^x\[1\]: /)
      expectError(() => inverse.entrySync(0, 2), 'ERR_SHAPE', 'coordinates: expected whole numbers from 0 to 1, got 2')
      await expectRejection(inverse.entries([]), 'ERR_SHAPE', /^coordinates: /)
      const alone = mfacSync({ gradients: [[0, 0, 1]] }, { backend })
      expectError(() => alone.ihvpSync([1e305, 0, 0]), 'ERR_NOT_FINITE', /^x: its product with the inverse overflows/)
    })
  })
})
