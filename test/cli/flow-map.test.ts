import { expect } from 'chai'
import type { Measure } from '../../lib/cli/io/points.js'
import { flowMap } from '../../lib/cli/plot/flow-map.js'
import type { Csr } from '../../lib/core/arrays.js'
import { scatter } from './helpers.js'

interface Flow {
  x: number
  y: number
  x2: number
  y2: number
  mass: number
}

function draw(plan: Csr, source: Measure, target: Measure) {
  // biome-ignore lint/suspicious/noExplicitAny: a specification is free-form
  const spec = flowMap(plan, source, target, 'title', 'subtitle') as any
  return {
    flows: spec.layer[0].data.values as Flow[],
    note: spec.title.subtitle[1] as string,
    width: spec.width as number,
    height: spec.height as number,
  }
}

const measure = (points: number[]): Measure => ({
  name: 'test',
  count: points.length / 2,
  dimension: 2,
  points: Float64Array.from(points),
  mass: 1,
})

/** A plan without zeros. */
function full(n: number, m: number, mass: (k: number) => number): Csr {
  return {
    shape: [n, m],
    indptr: Int32Array.from({ length: n + 1 }, (_, i) => i * m),
    indices: Int32Array.from({ length: n * m }, (_, k) => k % m),
    data: Float64Array.from({ length: n * m }, (_, k) => mass(k)),
  }
}

describe('cli: flow map', () => {
  it('draws each entry from its source to its target, the heaviest on top', () => {
    const { flows, note } = draw(
      full(2, 2, (k) => [3, 1, 2, 4][k]!),
      measure([0, 0, 1, 0]),
      measure([0, 5, 1, 5]),
    )
    expect(flows).to.deep.equal([
      { x: 0, y: 0, x2: 1, y2: 5, mass: 1 },
      { x: 1, y: 0, x2: 0, y2: 5, mass: 2 },
      { x: 0, y: 0, x2: 0, y2: 5, mass: 3 },
      { x: 1, y: 0, x2: 1, y2: 5, mass: 4 },
    ])
    expect(note).to.equal('4 of 4 flows drawn, 100.0 % of the mass')
  })

  it('draws the heaviest 3000 of a large plan', () => {
    const masses = scatter(10000, 2)
    const points = measure(scatter(200, 3))
    const { flows, note } = draw(
      full(100, 100, (k) => masses[k]!),
      points,
      points,
    )
    const heaviest = masses.toSorted((a, b) => a - b).slice(-3000)
    expect(flows.map(({ mass }) => mass)).to.deep.equal(heaviest)
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
    const share = (100 * sum(heaviest)) / sum(masses)
    expect(note).to.equal(`3000 of 10000 flows drawn, ${share.toFixed(1)} % of the mass`)
  })

  it('draws no more than that if all are alike', () => {
    const points = measure(scatter(200, 3))
    expect(
      draw(
        full(100, 100, () => 1e-4),
        points,
        points,
      ).flows,
    ).to.have.length(3000)
  })

  it('gives both axes the same scale', () => {
    const wide = measure([0, 0, 200, 100])
    const { width, height } = draw(
      full(2, 2, () => 0.25),
      wide,
      wide,
    )
    expect(width / height).to.be.closeTo(2, 0.01)
  })
})
