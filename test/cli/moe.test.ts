import { readFileSync } from 'node:fs'
import {
  Table as ArrowTable,
  Field,
  FixedSizeList,
  Float64,
  Int32,
  List,
  makeVector,
  tableToIPC,
  Utf8,
  type Vector,
  vectorFromArray,
} from 'apache-arrow'
import { expect } from 'chai'
import { bars } from '../../lib/cli/plot/bars.js'
import { cacheSync, placeSync, routeSync, syntheticTrace } from '../../lib/moe/index.js'
import { cli, csv, inProcess, Scratch } from './helpers.js'

const { trace, scores } = syntheticTrace({ tokens: 60, experts: 6, layers: 3, k: 2, seed: 2 })
const rows = Array.from({ length: 60 }, (_, t) => Array.from(scores.data.subarray(6 * t, 6 * t + 6)))
const used = (layer: number, t: number) => {
  const place = (layer * 60 + t) * 2
  return Array.from(trace.data.subarray(place, place + 2))
}
const lines = (values: unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('')

describe('cli: extrema moe', () => {
  let scratch: Scratch
  beforeEach(() => {
    scratch = new Scratch()
  })
  afterEach(() => scratch.dispose())

  async function json(...args: string[]) {
    const { code, stdout, stderr } = await inProcess(['moe', ...args, '--json'])
    expect(stderr).to.equal('')
    expect(code).to.equal(0)
    return JSON.parse(stdout)
  }

  it('routes scores from CSV and JSON lines, and writes who goes where', async () => {
    const expected = routeSync(rows, { capacityFactor: 1 })
    const out = scratch.path('routing.csv')
    const plot = scratch.path('load.svg')
    const file = scratch.file('scores.csv', csv(rows))
    const args = ['route', file, '--capacity-factor', '1', '--out', out, '--plot', plot]
    const result = await json(...args)
    expect(result).to.deep.include({ tokens: 60, experts: 6, method: 'exact', status: 'converged', assigned: 1 })
    expect(result.value).to.be.closeTo(expected.value, 1e-9)
    expect(result.load).to.deep.equal([...expected.load])
    const [header, ...entries] = readFileSync(out, 'utf8').trimEnd().split('\n')
    expect(header).to.equal('token,expert,score')
    expect(entries.length).to.equal(120)
    const sum = entries.reduce((total, line) => total + Number(line.split(',')[2]), 0)
    expect(sum).to.be.closeTo(expected.value, 1e-9)
    expect(readFileSync(plot, 'utf8')).to.match(/^<svg/)
    for (const [name, values] of [
      ['rows.jsonl', rows],
      ['objects.ndjson', rows.map((row) => ({ scores: row, token: 1 }))],
    ] as const) {
      const same = await json('route', scratch.file(name, lines(values)), '--capacity-factor', '1')
      expect(same.value).to.be.closeTo(expected.value, 1e-9)
    }
    const greedy = await json('route', file, '--method', 'greedy', '--k', '3', '--capacity', '20', '--partial')
    expect(greedy.value).to.be.closeTo(
      routeSync(rows, { method: 'greedy', k: 3, capacity: 20, partial: true }).value,
      1e-9,
    )
  })

  it('places loads, again with what was there before', async () => {
    const load = Array.from({ length: 12 }, (_, e) => 10 / (1 + e))
    const expected = placeSync(load, { devices: 3, replicas: 3 })
    const file = scratch.file(
      'load.csv',
      csv(
        load.map((w, e) => [`e${e}`, w]),
        ['name', 'load'],
      ),
    )
    const out = scratch.path('placement.csv')
    const result = await json('place', file, '--devices', '3', '--replicas', '3', '--out', out)
    expect(result.devices).to.deep.equal(expected.devices.map((list) => [...list]))
    expect(result.value).to.be.closeTo(expected.value, 1e-12)
    const [header, ...entries] = readFileSync(out, 'utf8').trimEnd().split('\n')
    expect(header).to.equal('device,expert,load')
    expect(entries.reduce((sum, line) => sum + Number(line.split(',')[2]), 0)).to.be.closeTo(
      load.reduce((sum, w) => sum + w, 0),
      1e-9,
    )
    const again = await json('place', file, '--devices', '3', '--replicas', '3', '--previous', out)
    expect(again.migration).to.deep.include({ kept: 15, moved: 0 })
    const jsonl = scratch.file('load.jsonl', lines(load.map((w) => ({ load: w }))))
    const eplb = await json('place', jsonl, '--devices', '4', '--nodes', '2', '--groups', '4', '--method', 'eplb')
    expect(eplb.devices.flat().sort((a: number, b: number) => a - b)).to.deep.equal(load.map((_, e) => e))
  })

  it('replays traces of every form', async () => {
    const expected = cacheSync(trace, { slots: 2 })
    const long = [0, 1, 2].flatMap((l) => Array.from({ length: 60 }, (_, t) => [t, l, ...used(l, t)]))
    const nested = Array.from({ length: 60 }, (_, t) => [0, 1, 2].map((l) => used(l, t)))
    const files = [
      scratch.file('trace.csv', csv(long, ['token', 'layer', 'first', 'second'])),
      scratch.file('nested.jsonl', lines(nested)),
      scratch.file('objects.jsonl', lines(long.map(([, layer, ...experts]) => ({ layer, experts })))),
      scratch.file('all.jsonl', lines(nested.map((experts) => ({ experts })))),
    ]
    for (const file of files) {
      const { policies } = await json('cache', file, '--slots', '2', '--policy', 'lru,belady')
      expect(policies[0]).to.deep.include({ policy: 'lru', misses: expected.misses, bound: expected.bound })
      expect(policies[1]).to.deep.include({ policy: 'belady', misses: expected.bound })
    }
    const flat = scratch.file('flat.csv', csv(Array.from({ length: 60 }, (_, t) => used(0, t))))
    const single = await json('cache', flat, '--slots', '2', '--experts', '6')
    expect(single.policies[0].misses).to.equal(expected.layerMisses[0])
    const shared = await json('cache', files[0]!, '--total-slots', '7')
    expect(shared.slots.reduce((sum: number, n: number) => sum + n, 0)).to.equal(7)
    expect(shared.policies[0].misses).to.be.at.most(cacheSync(trace, { slots: [3, 2, 2] }).misses)
    const all = await json('cache', files[0]!, '--slots', '5', '--scope', 'shared', '--policy', 'all')
    expect(all.policies.length).to.equal(8)
  })

  it('reads Arrow as it reads CSV', async () => {
    const arrow = (name: string, columns: Record<string, Vector>) =>
      scratch.file(name, tableToIPC(new ArrowTable(columns), 'file'))
    const column = (e: number) => makeVector(Float64Array.from(rows, (row) => row[e]))
    const flat = Object.fromEntries(rows[0].map((_, e) => [`e${e}`, column(e)]))
    const lists = { scores: vectorFromArray(rows, new FixedSizeList(6, new Field('item', new Float64()))) }
    const names = {
      token: vectorFromArray(
        rows.map((_, t) => `t${t}`),
        new Utf8(),
      ),
    }
    const expected = routeSync(rows, { capacityFactor: 1 })
    for (const [name, columns] of Object.entries({ flat: { ...names, ...flat }, lists: { ...names, ...lists } })) {
      const result = await json('route', arrow(`${name}.arrow`, columns), '--capacity-factor', '1')
      expect(result.value).to.be.closeTo(expected.value, 1e-12)
      expect(result.load).to.deep.equal([...expected.load])
    }

    const load = Float32Array.from({ length: 12 }, (_, e) => 10 / (1 + e))
    const loads = arrow('load.arrow', { expert: makeVector(Int32Array.from(load.keys())), load: makeVector(load) })
    const placed = await json('place', loads, '--column', 'load', '--devices', '3', '--replicas', '3')
    expect(placed.value).to.equal(placeSync(load, { devices: 3, replicas: 3 }).value)

    const used60 = Array.from({ length: 180 }, (_, i) => used(Math.floor(i / 60), i % 60))
    const requests = arrow('trace.arrow', {
      layer: makeVector(Int32Array.from(used60, (_, i) => Math.floor(i / 60))),
      experts: vectorFromArray(used60, new List(new Field('item', new Int32()))),
    })
    const replay = await json('cache', requests, '--slots', '3', '--experts', '6')
    const [{ misses }] = replay.policies
    expect(misses).to.equal(cacheSync(trace, { slots: 3 }).misses)
  })

  it('says what is wrong with an Arrow file', async () => {
    const uneven = new ArrowTable({ s: vectorFromArray([[1, 2], [3]], new List(new Field('item', new Float64()))) })
    const gaps = new ArrowTable({
      a: vectorFromArray([1, null], new Float64()),
      b: vectorFromArray([1, 2], new Float64()),
    })
    const bad: [Uint8Array | string, RegExp][] = [
      ['no columns', /bad\.arrow: expected an Arrow file/],
      [tableToIPC(uneven, 'file'), /bad\.arrow:2, column 's': expected 2 entries, got 1/],
      [
        tableToIPC(new ArrowTable({ s: vectorFromArray([{ x: 1 }, { x: 2 }]) }), 'file'),
        /bad\.arrow, column 's': .*got Struct/,
      ],
      [tableToIPC(gaps, 'file'), /bad\.arrow:2, column 'a': expected a number or inf, got ''/],
      [
        tableToIPC(new ArrowTable({ a: makeVector(new Float64Array(0)) }), 'file'),
        /expected rows of numbers, got none/,
      ],
    ]
    for (const [content, message] of bad) {
      const { code, stderr } = await inProcess(['moe', 'route', scratch.file('bad.arrow', content)])
      expect(stderr).to.match(message)
      expect(code).to.equal(2)
    }
  })

  it('says it in words', async () => {
    const route = await cli(['moe', 'route', '-', '--method', 'topk-drop', '--jsonl'], { input: lines(rows) })
    expect(route.code).to.equal(0)
    expect(route.stdout).to.match(/^scores +60 tokens, 6 experts\nmethod +topk-drop, /)
    expect(route.stdout).to.match(/places filled +[\d.]+ %, \d+ tokens? short, \d+ tokens? without/)
    const load = scratch.file('load.csv', csv(Array.from({ length: 8 }, (_, e) => [e + 1])))
    const place = await inProcess(['moe', 'place', load, '--devices', '2'])
    expect(place.stdout).to.match(/^load +8 experts, 8 slots on 2 devices\n/)
    expect(place.stdout).to.match(/largest load +18, 1 × the mean/)
    const flat = scratch.file('flat.csv', csv(Array.from({ length: 60 }, (_, t) => used(0, t))))
    const out = scratch.path('misses.csv')
    const cache = await inProcess(['moe', 'cache', flat, '--slots', '2', '--out', out])
    expect(cache.stdout).to.match(/^trace +1 layer, 60 tokens, 2 experts each\n/)
    expect(cache.stdout).to.match(/lru +hit rate 0\.\d+, \d+ misses\nat best +hit rate 0\.\d+, \d+ misses\nwritten/)
    expect(readFileSync(out, 'utf8')).to.match(/^policy,layer,misses\nlru,0,\d+\n$/)
  })

  it('mistakes are one line and exit code 2', async () => {
    const files: Record<string, string> = {
      'good.csv': '1,2,3\n3,2,1\n',
      'words.csv': 'a,b\nc,d\n',
      'ragged.jsonl': '[1,2]\n[1]\n',
      'broken.jsonl': '[1,2]\n{"scores":\n',
      'text.jsonl': '"abc"\n',
      'null.jsonl': '[1,null]\n',
      'empty.jsonl': '\n',
      'twice.jsonl': '[1,1]\n',
      'layers.jsonl': '{"layer":0,"experts":[1]}\n{"layer":1,"experts":[1]}\n{"layer":1,"experts":[2]}\n',
      'layer.jsonl': '{"layer":-1,"experts":[1]}\n',
      'some.jsonl': '[1,2]\n[1]\n',
      'load.csv': 'load\n1\n2\n3\n',
      'placement.csv': 'device,expert\n5,1\n',
    }
    const at = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, scratch.file(name, text)]))
    const cases: [string[], RegExp][] = [
      [['route', at['words.csv']!], /expected columns of scores, got none|expected rows of numbers/],
      [['route', at['ragged.jsonl']!], /ragged\.jsonl:2: expected 2 scores, got 1/],
      [['route', at['broken.jsonl']!], /broken\.jsonl:2: expected JSON, got /],
      [['route', at['text.jsonl']!], /text\.jsonl:1: expected a list of scores, got "abc"/],
      [['route', at['null.jsonl']!], /null\.jsonl:1: expected numbers as scores, got null/],
      [['route', at['empty.jsonl']!], /empty\.jsonl: expected lines of JSON, got none/],
      [['route', at['good.csv']!, '--k', '4'], /k: expected at most 3 \(the experts\), got 4/],
      [['route', at['good.csv']!, '--capacity', '1'], /capacity: expected room for 4/],
      [['route', at['good.csv']!, '--capacity', '2', '--capacity-factor', '1'], /cannot be used with/],
      [['route', at['good.csv']!, '--method', 'best'], /Allowed choices are exact/],
      [['route', at['good.csv']!, '--out', scratch.path('x.txt')], /--out: expected a file ending in \.csv/],
      [['route', scratch.path('none.csv')], /ENOENT/],
      [['place', at['load.csv']!], /required option '--devices/],
      [['place', at['load.csv']!, '--devices', '2', '--replicas', '9'], /expected 3 to 6 slots/],
      [
        ['place', at['load.csv']!, '--devices', '2', '--previous', at['placement.csv']!],
        /placement\.csv:2: expected a device from 0 to 1, got 5/,
      ],
      [
        ['place', at['load.csv']!, '--devices', '2', '--previous', at['load.csv']!],
        /expected the columns device and expert/,
      ],
      [['cache', at['good.csv']!], /--slots, --total-slots: expected one of them/],
      [['cache', at['good.csv']!, '--slots', '1', '--policy', 'mru'], /--policy: expected lru, .+ or all, got 'mru'/],
      [['cache', at['twice.jsonl']!, '--slots', '1'], /expected different experts, got 1 twice/],
      [
        ['cache', at['layers.jsonl']!, '--slots', '1'],
        /expected equally many tokens in all layers, got 1 in layer 0 and 2 in layer 1/,
      ],
      [['cache', at['layer.jsonl']!, '--slots', '1'], /layer\.jsonl:1: expected the number of a layer, got -1/],
      [['cache', at['some.jsonl']!, '--slots', '1'], /some\.jsonl:2: expected 2 experts, got 1/],
      [['cahce'], /unknown command 'cahce'/],
    ]
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await inProcess(['moe', ...args])
      expect(stderr, args.join(' ')).to.match(message)
      expect(stderr.trimEnd()).to.not.include('\n')
      expect([code, stdout]).to.deep.equal([2, ''])
    }
  })

  it('bars stand out above the last line', () => {
    const spec = bars({
      ...{ title: 't', subtitle: 's', category: 'device', quantity: 'load' },
      values: Float64Array.of(1, 2, 3),
      lines: [{ name: 'mean', value: 2 }],
    })
    const [layer] = spec.layer as { data: { values: unknown } }[]
    expect(layer!.data.values).to.deep.equal([
      { index: 0, value: 1, above: false },
      { index: 1, value: 2, above: false },
      { index: 2, value: 3, above: true },
    ])
  })
})
