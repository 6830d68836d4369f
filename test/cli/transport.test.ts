import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { cli, csv, inProcess, Scratch, scatter, triplets } from './helpers.js'

describe('cli: extrema transport', () => {
  let scratch: Scratch
  beforeEach(() => {
    scratch = new Scratch()
  })
  afterEach(() => scratch.dispose())

  /** Points on a jittered grid, far enough apart that a small shift has the identity as its only optimal plan. */
  function gridPoints(side: number): [number, number][] {
    const jitter = scatter(2 * side * side, 7)
    return Array.from({ length: side * side }, (_, k) => [
      (k % side) + 0.2 * jitter[2 * k]!,
      Math.floor(k / side) + 0.2 * jitter[2 * k + 1]!,
    ])
  }

  it('moves a shifted cloud by the shift: squared-distance cost |t|², the plan is the identity', async () => {
    const points = gridPoints(6)
    const shift = [0.15, -0.1] as const
    const source = scratch.file('source.csv', csv(points, ['x', 'y']))
    const target = scratch.file('target.csv', csv(points.map(([x, y]) => [x + shift[0], y + shift[1]])))
    const out = scratch.path('plan.csv')
    const args = ['transport', source, target, '--epsilon', '0.01', '--json', '--out', out]
    const { code, stdout, stderr } = await cli(args)
    expect(stderr).to.equal('') // quiet in a pipe
    expect(code).to.equal(0)
    const result = JSON.parse(stdout)
    expect(result.status).to.equal('converged')
    expect(result.epsilon).to.equal(0.01)
    expect(result.source).to.deep.include({ file: source, count: 36, dimension: 2, weights: 'uniform' })
    const squared = shift[0] ** 2 + shift[1] ** 2
    expect(result.value).to.be.closeTo(squared, 1e-9)
    expect(result.certificate.primal).to.be.closeTo(squared, 1e-9)
    const heavy = triplets(readFileSync(out, 'utf8')).filter(({ mass }) => mass > 1e-6)
    expect(heavy).to.have.length(36)
    for (const { source: i, target: j } of heavy) expect(j).to.equal(i)
  })

  for (const method of ['sinkhorn', 'sinkhorn-newton-sparse']) {
    it(`writes a plan whose sums are the weights (${method})`, async () => {
      const [x, y] = [scatter(30, 2), scatter(20, 3)]
      const [a, b] = [scatter(30, 5), scatter(20, 11)]
      const total = b.reduce((sum, w) => sum + w, 0) / a.reduce((sum, w) => sum + w, 0)
      const sourceRows = x.map((value, i) => [`s${i}`, value, a[i]! * total])
      const targetRows = y.map((value, j) => [`t${j}`, value, b[j]!])
      const source = scratch.file('source.csv', csv(sourceRows, ['name', 'x', 'supply']))
      const target = scratch.file('target.csv', csv(targetRows, ['name', 'x', 'demand']))
      const out = scratch.path('plan.csv')
      const weights = ['--source-weights', 'supply', '--target-weights', 'demand']
      const solver = ['--method', method, '--cost', 'cityblock', '--tolerance', '1e-10']
      const { code, stderr } = await cli([
        'transport',
        source,
        target,
        ...weights,
        ...solver,
        '--threshold',
        '1e-300',
        '--out',
        out,
      ])
      expect(stderr).to.equal('')
      expect(code).to.equal(0)
      const rowSums = new Array(30).fill(0)
      const columnSums = new Array(20).fill(0)
      for (const entry of triplets(readFileSync(out, 'utf8'))) {
        rowSums[entry.source] += entry.mass
        columnSums[entry.target] += entry.mass
      }
      rowSums.forEach((sum, i) => {
        expect(sum).to.be.closeTo(a[i]! * total, 1e-8)
      })
      columnSums.forEach((sum, j) => {
        expect(sum).to.be.closeTo(b[j]!, 1e-8)
      })
    })
  }

  it('brackets the exact cost on a line, which sorting gives', async () => {
    const x = scatter(40, 2)
    const y = scatter(40, 13).map((value) => value ** 2)
    const sorted = [x, y].map((values) => values.toSorted((p, q) => p - q))
    const exact = sorted[0]!.reduce((sum, value, k) => sum + Math.abs(value - sorted[1]![k]!), 0) / 40
    const source = scratch.file('x.csv', csv(x.map((value) => [value])))
    const target = scratch.file('y.csv', csv(y.map((value) => [value])))
    const { stdout } = await cli(['transport', source, target, '--cost', 'euclidean', '--epsilon', '1e-3', '--json'])
    const { certificate, value } = JSON.parse(stdout)
    expect(certificate.dual).to.be.at.most(exact + 1e-12)
    expect(certificate.primal).to.be.at.least(exact - 1e-12)
    expect(value).to.be.closeTo(exact, 5e-3)
  })

  it('takes weights and a cost matrix, in the units of the weights', async () => {
    // By hand: plant 1 fills the near shop, plant 2 the rest. 3·1 + 1·6 + 4·2 = 17.
    const supply = scratch.file(
      'supply.csv',
      csv(
        [
          ['plant 1', 4],
          ['plant 2', 4],
        ],
        ['plant', 'tons'],
      ),
    )
    const demand = scratch.file('demand.csv', csv([[3], [5]]))
    const cost = scratch.file(
      'cost.csv',
      csv([
        [1, 6],
        [9, 2],
      ]),
    )
    const out = scratch.path('plan.csv')
    const args = ['transport', supply, demand, '--cost-matrix', cost, '--epsilon', '0.05', '--json', '--out', out]
    const { code, stdout } = await cli(args)
    expect(code).to.equal(0)
    const result = JSON.parse(stdout)
    expect(result.cost).to.equal('matrix')
    expect(result.source.mass).to.equal(8)
    expect(result.value).to.be.closeTo(17, 1e-6)
    const plan = triplets(readFileSync(out, 'utf8')).filter(({ mass }) => mass > 1e-3)
    expect(plan.map(({ source, target, mass }) => [source, target, Math.round(1e6 * mass) / 1e6])).to.deep.equal([
      [0, 0, 3],
      [0, 1, 1],
      [1, 1, 4],
    ])
  })

  it('reads one of the files from standard input', async () => {
    const points = csv([
      [0, 0],
      [1, 0],
    ])
    const target = scratch.file(
      'target.csv',
      csv([
        [0, 2],
        [1, 2],
      ]),
    )
    const { code, stdout } = await cli(['transport', '-', target, '--epsilon', '0.01', '--json'], { input: points })
    expect(code).to.equal(0)
    const result = JSON.parse(stdout)
    expect(result.source.file).to.equal('standard input')
    expect(result.value).to.be.closeTo(4, 1e-9)
  })

  it('gives a side without weights the total of the other', async () => {
    const source = scratch.file(
      'source.csv',
      csv(
        [
          [0, 6],
          [1, 2],
        ],
        ['x', 'w'],
      ),
    )
    const target = scratch.file('target.csv', csv([[0], [1]], ['x']))
    const out = scratch.path('plan.csv')
    const args = ['transport', source, target, '--source-weights', 'w', '--epsilon', '0.01', '--json', '--out', out]
    const { stdout } = await cli(args)
    expect(JSON.parse(stdout).target).to.deep.include({ mass: 8, weights: 'uniform' })
    const moved = triplets(readFileSync(out, 'utf8')).filter(({ mass }) => mass > 1e-3)
    expect(moved.map(({ source: i, target: j, mass }) => [i, j, Math.round(mass)])).to.deep.equal([
      [0, 0, 4],
      [0, 1, 2],
      [1, 1, 2],
    ])
  })

  it('leaves out the row numbers of data frames, and takes the columns it is told', async () => {
    const frame = csv(
      [
        [0, 5, 1, 'a'],
        [1, 7, 2, 'b'],
      ],
      ['', 'x', 'y', 'name'],
    )
    const path = scratch.file('frame.csv', frame)
    const read = async (...options: string[]) =>
      JSON.parse((await cli(['transport', path, path, '--json', ...options])).stdout)
    expect((await read()).source).to.deep.include({ count: 2, dimension: 2 })
    expect((await read('--columns', 'y')).source.dimension).to.equal(1)
    expect((await read('--columns', '1,2,3')).source.dimension).to.equal(3)
  })

  it('forbids the pairs whose cost is inf', async () => {
    const weights = scratch.file('weights.csv', csv([[1], [1]]))
    const cost = scratch.file(
      'cost.csv',
      csv([
        ['inf', 5],
        [3, 'Infinity'],
      ]),
    )
    const { code, stdout } = await cli(['transport', weights, weights, '--cost-matrix', cost, '--json'])
    expect(code).to.equal(0)
    expect(JSON.parse(stdout).value).to.be.closeTo(8, 1e-9)
    const none = scratch.file(
      'none.csv',
      csv([
        ['inf', 5],
        ['inf', 3],
      ]),
    )
    const infeasible = await cli(['transport', weights, weights, '--cost-matrix', none])
    expect(infeasible.code).to.equal(2)
    expect(infeasible.stderr).to.match(/^error: .*\n$/)
  })

  it('scales both sides to 1 with --normalize, and prints the default epsilon for people', async () => {
    const source = scratch.file(
      'source.csv',
      csv(
        [
          [0, 10],
          [1, 30],
        ],
        ['x', 'w'],
      ),
    )
    const target = scratch.file(
      'target.csv',
      csv(
        [
          [0, 2],
          [1, 2],
        ],
        ['x', 'w'],
      ),
    )
    const { code, stdout } = await cli(['transport', source, target, '--weights', 'w', '--normalize'])
    expect(code).to.equal(0)
    expect(stdout).to.match(/^source +.*source\.csv: 2 points in 1-D \(x\), weighted, total 1$/m)
    // Squared distances 0, 1, 1, 0: standard deviation ½.
    expect(stdout).to.match(/^epsilon +0\.025, by default 0\.05 × the standard deviation of the cost$/m)
    expect(stdout).to.match(/^status +converged after \d+ iterations/m)
  })

  it('exact, by every method that fits: the same cost, with its proof', async () => {
    const x = scatter(20, 2)
    const y = scatter(20, 13).map((value) => value ** 2)
    const sorted = [x, y].map((values) => values.toSorted((p, q) => p - q))
    const exact = sorted[0]!.reduce((sum, value, k) => sum + (value - sorted[1]![k]!) ** 2, 0) / 20
    const source = scratch.file('x.csv', csv(x.map((value) => [value])))
    const target = scratch.file('y.csv', csv(y.map((value) => [value])))
    const out = scratch.path('plan.csv')
    for (const method of ['auto', 'emd', 'assignment', 'crossover', 'wasserstein1d']) {
      const args = ['transport', source, target, '--method', method, '--certificate', '--json', '--out', out]
      const { code, stdout, stderr } = await inProcess(args)
      expect(stderr).to.equal('')
      expect(code).to.equal(0)
      const result = JSON.parse(stdout)
      expect(result.method).to.equal(method === 'auto' ? 'wasserstein1d' : method)
      expect(result).to.deep.include({ status: 'converged', epsilon: 0, epsilonOrigin: 'exact' })
      expect(result.value).to.be.closeTo(exact, 1e-12)
      const { primal, dual, gap } = result.certificate
      expect(primal).to.be.closeTo(exact, 1e-12)
      expect(dual).to.be.closeTo(exact, 1e-12)
      expect(gap).to.equal(primal - dual)
      expect(triplets(readFileSync(out, 'utf8')).filter(({ mass }) => mass > 1e-12)).to.have.length(20)
    }
    const { stdout } = await inProcess(['transport', source, target, '--method', 'emd', '--certificate'])
    expect(stdout).to.match(/^epsilon +none: exact$/m)
    expect(Number(/^primal +(.*)$/m.exec(stdout)?.[1])).to.be.closeTo(exact, 1e-12)
    expect(Number(/^dual +(.*)$/m.exec(stdout)?.[1])).to.be.closeTo(exact, 1e-12)
    expect(Number(/^gap +(.*)$/m.exec(stdout)?.[1])).to.be.closeTo(0, 1e-12)
  })

  it('auto with epsilon is entropic; a method that does not fit is an error', async () => {
    const source = scratch.file('x.csv', csv(scatter(8, 2).map((value) => [value])))
    const target = scratch.file('y.csv', csv(scatter(9, 3).map((value) => [value])))
    const run = (...options: string[]) => inProcess(['transport', source, target, ...options])
    const result = JSON.parse((await run('--method', 'auto', '--epsilon', '0.3', '--json')).stdout)
    expect(result).to.deep.include({ method: 'sinkhorn', epsilon: 0.3, epsilonOrigin: 'given', tolerance: 1e-9 })
    for (const options of [
      ['--method', 'assignment'],
      ['--method', 'emd', '--epsilon', '1'],
      ['--method', 'emd', '--precision', 'float32'],
      ['--method', 'wasserstein1d', '--cost', 'cosine'],
    ]) {
      const { code, stderr } = await run(...options)
      expect(code).to.equal(2)
      expect(stderr).to.match(/^error: (method|epsilon|precision): expected .*\n$/)
    }
  })

  it('warns about a missed tolerance and still gives the answer', async () => {
    const source = scratch.file('source.csv', csv(scatter(50, 2).map((x) => [x])))
    const target = scratch.file('target.csv', csv(scatter(50, 3).map((x) => [x])))
    const args = [
      'transport',
      source,
      target,
      '--method',
      'sinkhorn',
      '--epsilon',
      '1e-3',
      '--max-iterations',
      '3',
      '--json',
    ]
    const { code, stdout, stderr } = await cli(args)
    expect(code).to.equal(0)
    expect(JSON.parse(stdout).status).to.equal('iteration-limit')
    expect(stderr).to.match(/^warning: not converged \(iteration-limit\): the marginal error is .*\n$/)
  })
})
