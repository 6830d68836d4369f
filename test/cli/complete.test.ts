import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { planted } from '../helpers/planted.js'
import { cli, csv, inProcess, Scratch } from './helpers.js'

describe('cli: extrema complete and recommend', () => {
  let scratch: Scratch
  beforeEach(() => {
    scratch = new Scratch()
  })
  afterEach(() => scratch.dispose())

  const data = planted(30, 20, { values: [1, 0.5], share: 0.7, seed: 3 })
  const lines = Array.from(data.problem.values, (value, k): [string, string, number] => [
    `u${data.problem.rows[k]}`,
    `i${data.problem.columns[k]}`,
    value,
  ])

  it('completes a file, writes the model and recommends by it, as a child process', async () => {
    const ratings = scratch.file('ratings.csv', csv(lines, ['user', 'item', 'rating']))
    for (const extension of ['json', 'arrow']) {
      const model = scratch.path(`model.${extension}`)
      const args = [
        '--rank',
        '2',
        '--tolerance',
        '1e-12',
        '--hold-out',
        '0.05',
        '--patience',
        '50',
        '--max-iterations',
        '200',
      ]
      const { code, stdout, stderr } = await cli(['complete', ratings, ...args, '--json', '--out', model])
      expect(stderr).to.equal('')
      expect(code).to.equal(0)
      const result = JSON.parse(stdout)
      expect(result.status).to.equal('converged')
      expect(result.shape).to.deep.equal([30, 20])
      expect(result.trainRmse).to.be.below(1e-9)
      expect(result.validationRmse).to.be.below(1e-9)
      const best = await cli(['recommend', model, '--top-k', '3', '--rows', 'u4,u0', '--seen', ratings])
      expect(best.stderr).to.equal('')
      const [header, ...found] = best.stdout.trimEnd().split('\n')
      expect(header).to.equal('row,column,score')
      expect(found).to.have.length(6)
      found.forEach((line, at) => {
        const [row, column, score] = line.split(',')
        const user = at < 3 ? 4 : 0
        expect(row).to.equal(`u${user}`)
        expect(lines.some(([u, i]) => u === row && i === column)).to.equal(false)
        expect(Number(score)).to.be.closeTo(data.at(user, Number(column!.slice(1))), 1e-8)
      })
    }
  })

  it('chooses columns, writes factors and recommendations as CSV', async () => {
    const rows = lines.map(([u, i, x]) => [x, '2026', i, u, 2])
    const ratings = scratch.file('ratings.csv', csv(rows, ['stars', 'year', 'film', 'person', 'w']))
    const [out, lists] = [scratch.path('factors.csv'), scratch.path('lists.csv')]
    const columns = ['--row', 'person', '--column', '3', '--value', 'stars', '--weight', 'w']
    const solver = ['--rank', '2', '--biases', '--regularization', '0.1']
    const written = ['--out', out, '--top-k', '2', '--recommendations', lists]
    const { code, stdout } = await inProcess(['complete', ratings, ...columns, ...solver, ...written])
    expect(code).to.equal(0)
    expect(stdout).to.match(/ratings +.*30 × 20/)
    const factors = readFileSync(out, 'utf8').trimEnd().split('\n')
    expect(factors[0]).to.equal('side,id,bias,f1,f2')
    expect(factors).to.have.length(51)
    expect(factors[1]).to.match(/^row,u\d+,/)
    const recommended = readFileSync(lists, 'utf8').trimEnd().split('\n').slice(1)
    expect(recommended.length).to.be.within(50, 60)
    for (const line of recommended) {
      const [u, i] = line.split(',')
      expect(lines.some(([row, column]) => row === u && column === i)).to.equal(false)
    }
  })

  it('warns of what it could not do', async () => {
    const ratings = scratch.file('few.csv', 'a,x,1\nb,y,2\nc,z,3\n')
    const { code, stderr } = await inProcess(['complete', ratings, '--rank', '2'])
    expect(code).to.equal(0)
    expect(stderr).to.match(/warning: 3 rows and 3 columns have fewer ratings than unknowns/)
    expect(stderr).to.match(/warning: fewer ratings than a matrix of this rank has unknowns/)
  })

  it('mistakes are one line and exit code 2', async () => {
    const good = scratch.file('good.csv', 'a,x,1\na,y,2\nb,x,3\nb,y,4\n')
    const cases: [string[], RegExp][] = [
      [['complete', good], /required option '--rank/],
      [['complete', good, '--rank', '3'], /rank: expected a whole number from 1 to 2, got 3/],
      [['complete', scratch.path('none.csv'), '--rank', '1'], /ENOENT/],
      [['complete', scratch.folder, '--rank', '1'], /expected a CSV file, got a folder/],
      [
        ['complete', scratch.file('bad.csv', 'a,x,1\na,y,z\n'), '--rank', '1'],
        /bad.csv:2: expected a finite number, got 'z'/,
      ],
      [['complete', scratch.file('twice.csv', 'a,x,1\na,x,2\n'), '--rank', '1'], /every entry once/],
      [
        ['complete', scratch.file('ragged.csv', 'a,x,1\na,y\n'), '--rank', '1'],
        /ragged.csv:2: expected 3 columns, got 2/,
      ],
      [
        ['complete', scratch.file('two.csv', '1,2\n'), '--rank', '1'],
        /expected columns of rows, columns and values, got 2/,
      ],
      [['complete', scratch.file('empty.csv', ''), '--rank', '1'], /at least one rating/],
      [['complete', good, '--rank', '1', '--row', 'user'], /no column 'user'; its columns are 1 to 3/],
      [['complete', good, '--rank', '1', '--hold-out', '2'], /validation: expected/],
      [['complete', good, '--rank', '1', '--top-k', '1'], /--top-k and --recommendations: expected both or none/],
      [['complete', good, '--rank', '1', '--out', 'model.txt'], /--out: expected a file ending in/],
      [['recommend', good, '--top-k', '1'], /expected a model ending in .json or .arrow/],
      [['recommend', scratch.file('no.json', '{}'), '--top-k', '1'], /model: expected the JSON of a completed matrix/],
      [['recommend', scratch.file('no.arrow', 'x'), '--top-k', '1'], /no.arrow: expected/],
    ]
    for (const [args, message] of cases) {
      const { code, stderr } = await inProcess(args)
      expect(stderr, args.join(' ')).to.match(message)
      expect(stderr.trimEnd().split('\n')).to.have.length(1)
      expect(code, args.join(' ')).to.equal(2)
    }
  })
})
