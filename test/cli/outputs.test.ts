import { readFileSync } from 'node:fs'
import { tableFromIPC } from 'apache-arrow'
import { expect } from 'chai'
import { decode } from 'fast-png'
import { cli, csv, inProcess, Scratch, scatter, triplets } from './helpers.js'

/** Makes the packages look as if they were not installed. */
function without(...packages: string[]): string[] {
  const hook = `export async function resolve(name, context, next) {
    if (${JSON.stringify(packages)}.includes(name)) throw Object.assign(new Error('hidden ' + name), { code: 'ERR_MODULE_NOT_FOUND' })
    return next(name, context)
  }`
  const url = `data:text/javascript,${encodeURIComponent(hook)}`
  const register = `import { register } from 'node:module'; register(${JSON.stringify(url)})`
  return ['--import', `data:text/javascript,${encodeURIComponent(register)}`]
}

describe('cli: files that extrema transport writes', () => {
  let scratch: Scratch
  let problem: string[]
  before(() => {
    scratch = new Scratch()
    const points = (prime: number) => csv(scatter(40, prime).map((x, k) => [x, scatter(41, prime + 2)[k]!]))
    problem = ['transport', scratch.file('s.csv', points(2)), scratch.file('t.csv', points(3)), '--epsilon', '0.02']
  })
  after(() => scratch.dispose())

  it('the same plan as CSV and as Arrow', async () => {
    const text = scratch.path('plan.csv')
    const arrow = scratch.path('plan.arrow')
    expect((await inProcess([...problem, '--out', text])).code).to.equal(0)
    expect((await inProcess([...problem, '--out', arrow])).code).to.equal(0)
    const table = tableFromIPC(readFileSync(arrow))
    expect(table.schema.fields.map(({ name, type }) => `${name} ${type}`)).to.deep.equal([
      'source Int32',
      'target Int32',
      'mass Float64',
    ])
    const rows = table.toArray().map((row) => ({ ...row.toJSON() }))
    expect(rows).to.deep.equal(triplets(readFileSync(text, 'utf8')))
    expect(rows.reduce((sum, { mass }) => sum + mass, 0)).to.be.closeTo(1, 1.1e-6)
  })

  it('--threshold drops lighter entries and nothing else; --json says what is left', async () => {
    const all = scratch.path('all.csv')
    const some = scratch.path('some.csv')
    await inProcess([...problem, '--threshold', '1e-300', '--out', all])
    const { stdout } = await inProcess([...problem, '--threshold', '1e-3', '--out', some, '--json'])
    const expected = triplets(readFileSync(all, 'utf8')).filter(({ mass }) => mass >= 1e-3)
    expect(expected).to.have.length.within(20, 800)
    expect(triplets(readFileSync(some, 'utf8'))).to.deep.equal(expected)
    const { out } = JSON.parse(stdout)
    expect(out).to.deep.include({ file: some, threshold: 1e-3, entries: expected.length })
    expect(out.mass).to.be.closeTo(
      expected.reduce((sum, { mass }) => sum + mass, 0),
      1e-12,
    )
  })

  it('draws points of the plane as a map with a line per entry', async () => {
    const plot = scratch.path('map.svg')
    const { code, stdout } = await inProcess([...problem, '--threshold', '1e-3', '--plot', plot, '--json'])
    expect(code).to.equal(0)
    expect(JSON.parse(stdout).plot).to.deep.equal({ file: plot })
    const svg = readFileSync(plot, 'utf8')
    expect(svg).to.match(/^<svg /)
    expect(svg).to.include('Transport plan: 40 points to 40')
    const entries = Number(/(\d+) of \1 flows drawn/.exec(svg)?.[1])
    expect(entries).to.be.within(40, 800)
    expect(svg.split('<line ').length - 1).to.be.at.least(entries)
  })

  it('draws points of a line as a heat map, in PNG twice the size of the SVG', async () => {
    const line = (prime: number) =>
      scratch.file(
        `line${prime}.csv`,
        csv(
          scatter(60, prime).map((x) => [x]),
          ['height'],
        ),
      )
    const args = ['transport', line(2), line(3), '--plot']
    expect((await inProcess([...args, scratch.path('heat.svg')])).code).to.equal(0)
    expect((await inProcess([...args, scratch.path('heat.png')])).code).to.equal(0)
    const svg = readFileSync(scratch.path('heat.svg'), 'utf8')
    expect(svg).to.include('source height').and.to.include('target height')
    const size = /width="(\d+)" height="(\d+)"/.exec(svg)!
    const png = decode(readFileSync(scratch.path('heat.png')))
    expect([png.width, png.height]).to.deep.equal([2 * Number(size[1]), 2 * Number(size[2])])
    const values = new Set(Array.from({ length: 2000 }, (_, k) => png.data[k * Math.floor(png.data.length / 2000)]))
    expect(values.size).to.be.greaterThan(10) // not a blank page
  })

  it('leaves no partial files behind', () => {
    expect(scratch.names.filter((name) => name.endsWith('.tmp'))).to.deep.equal([])
  })

  const peers: [hidden: string, option: string, command: string][] = [
    ['vega', '--plot=plan.svg', 'npm install vega vega-lite'],
    ['vega-lite', '--plot=plan.svg', 'npm install vega vega-lite'],
    ['@resvg/resvg-js', '--plot=plan.png', 'npm install vega vega-lite @resvg/resvg-js'],
    ['apache-arrow', '--out=plan.arrow', 'npm install apache-arrow'],
  ]
  for (const [hidden, option, command] of peers) {
    it(`without ${hidden}: says ${command}`, async () => {
      const { code, stdout, stderr } = await cli([...problem, option], { nodeOptions: without(hidden) })
      expect(code).to.equal(1)
      expect(stdout).to.equal('')
      expect(stderr).to.match(/^error: --(plot|out).* needs packages that are not installed: npm install /)
      expect(stderr.trimEnd().endsWith(command)).to.equal(true)
    })
  }

  it('without any of them: solves all the same', async () => {
    const nodeOptions = without('vega', 'vega-lite', '@resvg/resvg-js', 'apache-arrow')
    expect((await cli(problem, { nodeOptions })).code).to.equal(0)
  })
})
