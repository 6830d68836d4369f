import { expect } from 'chai'
import type { Measure } from '../../lib/cli/io/points.js'
import { heatMap } from '../../lib/cli/plot/heat-map.js'
import type { Csr } from '../../lib/core/arrays.js'

interface Cell {
  x: number
  y: number
  mass: number
}

interface Bar {
  from: number
  to: number
  mass: number
}

/** The data inside the specification: cells of the map, bars of the targets, bars of the sources. */
function dataOf(plan: Csr, source: Measure, target: Measure) {
  // biome-ignore lint/suspicious/noExplicitAny: a specification is free-form
  const spec = heatMap(plan, source, target, 'title', 'subtitle') as any
  const [bars, { hconcat }] = spec.vconcat
  return {
    cells: hconcat[0].data.values as Cell[],
    targets: bars.data.values as Bar[],
    sources: hconcat[1].data.values as Bar[],
  }
}

const diagonal = (n: number): Csr => ({
  shape: [n, n],
  indptr: Int32Array.from({ length: n + 1 }, (_, i) => i),
  indices: Int32Array.from({ length: n }, (_, i) => i),
  data: new Float64Array(n).fill(1 / n),
})

const measure = (count: number, points: number[] = []): Measure => ({
  name: 'test',
  count,
  dimension: points.length > 0 ? 1 : 0,
  points: Float64Array.from(points),
  mass: 1,
})

describe('cli: heat map', () => {
  it('gives each index a cell of its own while there are at most 200', () => {
    const { cells, targets, sources } = dataOf(diagonal(7), measure(7), measure(7))
    expect(cells.map(({ x, y }) => [x, y])).to.deep.equal(Array.from({ length: 7 }, (_, i) => [i, i]))
    for (const { mass } of [...cells, ...targets, ...sources]) expect(mass).to.be.closeTo(1 / 7, 1e-15)
  })

  it('puts equally many indices into each bin beyond that, and loses no mass', () => {
    const { cells, sources } = dataOf(diagonal(1000), measure(1000), measure(1000))
    expect(cells).to.have.length(200)
    for (const { mass } of cells) expect(mass).to.be.closeTo(5 / 1000, 1e-15)
    expect(sources).to.have.length(200)
    expect(sources.every(({ from, to }) => to - from === 5)).to.equal(true)
  })

  it('bins points of a line by their place, whatever their order', () => {
    const places = Array.from({ length: 80 }, (_, i) => ((37 * i) % 80) / 79)
    const { cells, targets } = dataOf(diagonal(80), measure(80, places), measure(80, places))
    expect(targets).to.have.length(20)
    for (const { mass } of targets) expect(mass).to.be.closeTo(4 / 80, 1e-12)
    for (const { x, y } of cells) expect(x).to.equal(y)
  })

  it('draws a single point', () => {
    const { cells } = dataOf(diagonal(1), measure(1, [3]), measure(1, [3]))
    expect(cells).to.have.length(1)
    expect(cells[0]!.mass).to.equal(1)
  })
})
