import { tableFromIPC } from 'apache-arrow'
import { expect } from 'chai'
import { createStudy, exportArrow, exportJsonLines, importArrow, importJsonLines, real } from '../../lib/bayes/index.js'
import { expectRejection } from '../helpers/errors.js'
import { objective, space } from './children/problem.js'

async function filled() {
  const study = await createStudy({ space, constraints: 1 })
  for (let k = 0; k < 12; k++) {
    const trial = await study.ask()
    if (k === 3) await study.tell(trial, { failed: 'disk full' })
    else if (k === 5) await study.tell(trial, { pruned: true })
    else if (k !== 7) {
      await trial.report(1, k)
      await study.tell(trial, { value: objective(trial.params), constraints: [k - 6] })
    }
  }
  return study
}

/** All that is carried over. */
const contents = (study: Awaited<ReturnType<typeof filled>>) =>
  study.trials
    .filter(({ state }) => state !== 'running')
    .map(({ state, params, values, constraints, error, reports }) => ({
      state,
      params,
      values,
      constraints,
      error,
      reports,
    }))

describe('export and import of trials', () => {
  it('carries all ended trials over as JSON lines', async () => {
    const study = await filled()
    const text = [...exportJsonLines(study)].join('')
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).number),
    ).to.deep.equal([...Array(12).keys()])
    const other = await createStudy({ space, constraints: 1 })
    expect(await importJsonLines(other, [text.slice(0, 100), text.slice(100)])).to.equal(11)
    expect(contents(other)).to.deep.equal(contents(study))
    expect(other.trials[0].sampler).to.equal('sobol')
    expect(other.best!.value).to.equal(study.best!.value)
    // The sequence goes on where it was.
    expect((await other.ask()).params).to.deep.equal((await study.ask()).params)
  })

  it('carries them over as Arrow, whose columns other tools read', async () => {
    const study = await filled()
    const bytes = await exportArrow(study)
    const table = tableFromIPC(bytes)
    const column = (name: string) => [...table.getChild(name)!]
    expect(column('x')).to.deep.equal(study.trials.map(({ params }) => params.x))
    expect(column('mode.b.z')).to.deep.equal(
      study.trials.map(({ params: { mode } }) => (mode.choice === 'b' ? mode.z : null)),
    )
    expect(column('value')).to.deep.equal(study.trials.map(({ values }) => values?.[0] ?? null))
    expect(column('constraint_0')).to.deep.equal(study.trials.map(({ constraints }) => constraints?.[0] ?? null))
    expect(column('state')).to.deep.equal(study.trials.map(({ state }) => state))
    const other = await createStudy({ space, constraints: 1 })
    expect(await importArrow(other, bytes)).to.equal(11)
    expect(contents(other)).to.deep.equal(contents(study))
    await expectRejection(
      importArrow(other, new Uint8Array([1, 2, 3])),
      'ERR_OPTION',
      /^bytes: expected an Arrow file of trials, got one without column 'trial'/,
    )
  })

  it('keeps parameters apart that are named like columns', async () => {
    const named = { value: real(0, 1), state: real(2, 3), trial: real(4, 5), value_x: real(6, 7) }
    const study = await createStudy({ space: named })
    for (let k = 0; k < 5; k++) await study.tell(await study.ask(), 10 + k)
    const bytes = await exportArrow(study)
    const table = tableFromIPC(bytes)
    const column = (name: string) => [...table.getChild(name)!]
    expect(column('value')).to.deep.equal([10, 11, 12, 13, 14])
    expect(column('state')).to.deep.equal(Array(5).fill('complete'))
    expect(column('value_x')).to.deep.equal(study.trials.map(({ params }) => params.value_x))
    for (const name of ['value', 'state', 'trial'] as const) {
      expect(column(`params.${name}`)).to.deep.equal(study.trials.map(({ params }) => params[name]))
    }
    const other = await createStudy({ space: named })
    expect(await importArrow(other, bytes)).to.equal(5)
    expect(other.trials.map(({ params }) => params)).to.deep.equal(study.trials.map(({ params }) => params))
  })

  it('adds nothing if a line is wrong, and says which', async () => {
    const study = await createStudy({ space })
    const good = '{"state":"complete","params":{"x":0.1,"k":3,"mode":{"choice":"a","y":0.5}},"values":[1]}'
    const wrong = (line: string, message: RegExp) =>
      expectRejection(importJsonLines(study, `${good}\n${line}\n`), 'ERR_OPTION', message)
    await wrong('{', /^line 2: expected JSON/)
    await wrong('3', /^line 2: expected a trial, got 3/)
    await wrong(good.replace('0.1', '7'), /params.x: expected a number/)
    await wrong(good.replace('"values"', '"value"'), /unknown name 'value'/)
    await wrong(good.replace('"complete"', '"done"'), /expected one of value/)
    await wrong(good.replace('}}', '}},"reports":[[1]]'), /reports: expected pairs/)
    expect(study.trials).to.have.length(0)
    expect(await importJsonLines(study, `${good}\n\n${good}`)).to.equal(2)
  })
})
