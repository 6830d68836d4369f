import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { cli, inProcess, root, Scratch } from './helpers.js'

describe('cli: mistakes are one line and exit code 2', () => {
  let scratch: Scratch
  before(() => {
    scratch = new Scratch()
    scratch.file('good.csv', 'x,y\n0,0\n1,1\n')
    scratch.file('line.csv', '0\n1\n')
    scratch.file('ragged.csv', 'x,y\n0,0\n1\n')
    scratch.file('nan.csv', 'x,y\n0,0\nnan,1\n')
    scratch.file('only-nan.csv', 'nan,nan\n')
    scratch.file('huge.csv', 'x,y\n0,1e999\n')
    scratch.file('typo.csv', 'x,y\n1o,0\n2,1\n')
    scratch.file('words.csv', 'name,city\na,b\n')
    scratch.file('empty.csv', '')
    scratch.file('header.csv', 'x,y\n')
    scratch.file('quote.csv', 'x,y\n"0,0\n')
    scratch.file('negative.csv', 'x,w\n0,1\n1,-2\n')
    scratch.file('zero.csv', 'x,w\n0,0\n1,0\n')
    scratch.file('light.csv', 'x,w\n0,1\n1,2\n')
    scratch.file('heavy.csv', 'x,w\n0,10\n1,20\n')
    scratch.file('cost.csv', '1,2,3\n4,5,6\n')
    scratch.file('text.png', 'not a picture')
    scratch.file('cut.png', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0))
    scratch.file('cut.jpg', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0))
    mkdirSync(scratch.path('folder.csv'))
  })
  after(() => scratch.dispose())

  const two = (source: string, target: string, ...rest: string[]) => ['transport', `@${source}`, `@${target}`, ...rest]
  const cases: [what: string, args: string[], message: RegExp][] = [
    ['no command', [], /Usage: extrema/],
    ['an unknown command', ['transprot'], /unknown command 'transprot'.*[Dd]id you mean transport/],
    [
      'an unknown option',
      two('good.csv', 'good.csv', '--epsilom', '1'),
      /unknown option '--epsilom'.*Did you mean --epsilon/,
    ],
    ['a missing argument', ['transport', '@good.csv'], /missing required argument 'target'/],
    ['an epsilon of zero', two('good.csv', 'good.csv', '--epsilon', '0'), /--epsilon.*'0' is invalid.*> 0/],
    ['a negative epsilon', two('good.csv', 'good.csv', '--epsilon', '-1'), /--epsilon.*'-1' is invalid/],
    ['a word for a number', two('good.csv', 'good.csv', '--tolerance', 'small'), /--tolerance.*'small' is invalid/],
    ['half an iteration', two('good.csv', 'good.csv', '--max-iterations', '1.5'), /Expected a whole number/],
    ['an unknown cost', two('good.csv', 'good.csv', '--cost', 'manhattan'), /'manhattan' is invalid.*cityblock/],
    ['an unknown method', two('good.csv', 'good.csv', '--method', 'simplex'), /'simplex' is invalid.*sinkhorn/],
    ['a file that is not there', two('good.csv', 'absent.csv'), /no such file.*absent\.csv/],
    ['a folder', two('folder.csv', 'good.csv'), /expected a CSV file, got a folder/],
    ['standard input twice', ['transport', '-', '-'], /standard input \(-\): can be read for one file only/],
    ['a ragged file', two('ragged.csv', 'good.csv'), /ragged\.csv:3: expected 2 columns, got 1/],
    ['NaN', two('good.csv', 'nan.csv'), /nan\.csv:3, column 'x': expected a finite number, got 'nan'/],
    [
      'nothing but NaN, which is no header',
      two('only-nan.csv', 'good.csv'),
      /only-nan\.csv:1, column 1: expected a finite/,
    ],
    ['a number beyond double precision', two('huge.csv', 'good.csv'), /huge\.csv:2, column 'y': .*'1e999'/],
    [
      'a letter among digits',
      two('typo.csv', 'good.csv'),
      /typo\.csv:2, column 'x': expected a finite number, got '1o'/,
    ],
    [
      'no numbers at all',
      two('words.csv', 'good.csv'),
      /words\.csv: expected at least one column of coordinates, got none/,
    ],
    ['an empty file', two('empty.csv', 'good.csv'), /empty\.csv: expected rows of numbers, got none/],
    ['a header alone', two('header.csv', 'good.csv'), /header\.csv: expected rows of numbers, got none/],
    ['a quotation mark left open', two('quote.csv', 'good.csv'), /quote\.csv: .*[Qq]uote/],
    [
      'different dimensions',
      two('good.csv', 'line.csv'),
      /equally many coordinates.*2 in .*good\.csv \(x, y\) and 1 in .*line\.csv/,
    ],
    ['no such column', two('light.csv', 'light.csv', '--weights', 'mass'), /no column 'mass'; its columns are x, w/],
    [
      'no such numbered column',
      two('line.csv', 'line.csv', '--weights', '2'),
      /no column '2'.*1 to 1, as it has no header/,
    ],
    ['weights as the only column', two('line.csv', 'line.csv', '--weights', '1'), /at least one column of coordinates/],
    [
      'a negative weight',
      two('negative.csv', 'light.csv', '--weights', 'w'),
      /negative\.csv:3, column 'w': expected a weight >= 0, got -2/,
    ],
    [
      'no weight at all',
      two('zero.csv', 'light.csv', '--weights', 'w'),
      /zero\.csv, column 'w': expected a finite sum > 0, got 0/,
    ],
    [
      'totals that differ',
      two('light.csv', 'heavy.csv', '--weights', 'w'),
      /equal totals, got 3 .* and 30 .*--normalize/,
    ],
    [
      'a cost matrix of another size',
      two('line.csv', 'line.csv', '--cost-matrix', '@cost.csv'),
      /cost\.csv: expected 2×2 costs .* got 2×3/,
    ],
    [
      'two columns for weights',
      two('good.csv', 'line.csv', '--cost-matrix', '@cost.csv'),
      /expected one column of weights, got 'x', 'y'/,
    ],
    [
      '--cost with --cost-matrix',
      two('line.csv', 'line.csv', '--cost', 'cosine', '--cost-matrix', '@cost.csv'),
      /cannot be used with/,
    ],
    [
      'an unknown ending of --out',
      two('good.csv', 'good.csv', '--out', '@plan.json'),
      /--out: expected a file ending in \.csv or \.arrow/,
    ],
    [
      'an unknown ending of --plot',
      two('good.csv', 'good.csv', '--plot', '@plan.gif'),
      /--plot: expected a file ending in \.svg or \.png/,
    ],
    ['a folder that is not there', two('good.csv', 'good.csv', '--out', '@absent/plan.csv'), /--out: no folder/],
    ['a folder as output', two('good.csv', 'good.csv', '--out', '@folder.csv'), /--out: .* is a folder/],
    ['no output', ['color', '@text.png', '@text.png'], /required option '-o, --out <file>' not specified/],
    ['an output of no picture format', ['color', '@text.png', '@text.png', '-o', '@a.tif'], /\.png or \.jpg or \.jpeg/],
    ['text for a picture', ['color', '@text.png', '@text.png', '-o', '@a.png'], /text\.png: expected a PNG or JPEG/],
    ['half a PNG', ['color', '@cut.png', '@cut.png', '-o', '@a.png'], /cut\.png: the picture cannot be decoded/],
    ['half a JPEG', ['color', '@cut.jpg', '@cut.jpg', '-o', '@a.png'], /cut\.jpg: the picture cannot be decoded/],
    ['a negative seed', ['color', '@text.png', '@text.png', '-o', '@a.png', '--seed', '-1'], /--seed.*'-1' is invalid/],
  ]
  for (const [what, args, message] of cases) {
    it(what, async () => {
      const { code, stdout, stderr } = await inProcess(
        args.map((arg) => (arg.startsWith('@') ? scratch.path(arg.slice(1)) : arg)),
      )
      expect(stderr).to.match(message)
      expect(code).to.equal(2)
      expect(stdout).to.equal('')
      if (args.length > 0) expect(stderr.trimEnd()).to.not.include('\n')
    })
  }

  it('as a process: exit code 2, and a stack only with EXTREMA_DEBUG', async () => {
    const args = ['transport', scratch.path('ragged.csv'), scratch.path('good.csv')]
    const plain = await cli(args)
    expect(plain.code).to.equal(2)
    expect(plain.stdout).to.equal('')
    expect(plain.stderr).to.match(/^error: .*ragged\.csv:3: expected 2 columns, got 1\n$/)
    const debug = await cli(args, { env: { EXTREMA_DEBUG: '1' } })
    expect(debug.code).to.equal(2)
    expect(debug.stderr).to.match(/\n +at /)
  })

  it('does not wait for the end of a standard input that is wrong', async () => {
    const { code, stderr } = await cli(['transport', '-', scratch.path('good.csv')], { input: 'x,y\n0\n' })
    expect(stderr).to.match(/^error: standard input:2: expected 2 columns, got 1\n$/)
    expect(code).to.equal(2)
  })

  it('writes nothing then', () => {
    expect(existsSync(scratch.path('a.png'))).to.equal(false)
    expect(scratch.names.filter((name) => name.includes('tmp') || name.includes('plan'))).to.deep.equal([])
  })

  it('--version is no mistake', async () => {
    const { code, stdout } = await inProcess(['--version'])
    expect(code).to.equal(0)
    expect(stdout).to.equal(`${JSON.parse(readFileSync(`${root}package.json`, 'utf8')).version}\n`)
  })

  it('--help is no mistake', async () => {
    const { code, stdout } = await inProcess(['transport', '--help'])
    expect(code).to.equal(0)
    expect(stdout).to.include('--epsilon')
  })
})
