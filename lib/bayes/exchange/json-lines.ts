import { ExtremaError } from '../../core/errors.js'
import type { ParameterMap } from '../space/parameters.js'
import type { Study } from '../study/study.js'
import { exported, imported } from './record-json.js'

/** All trials of a study as JSON lines, one each, in the order of their numbers: text that any tool reads. */
export function* exportJsonLines<S extends ParameterMap>(study: Study<S>): Generator<string> {
  for (const record of study.trials) yield `${JSON.stringify(exported(record))}\n`
}

/**
 * Adds the trials of JSON lines to a study, under new numbers, in their order: those of another study with the same space, or
 * written by hand. Trials that had not ended are passed over. Nothing is added if a line is wrong. Returns how many were added.
 *
 * @param lines the text, or pieces of it that need not end with a line
 * @throws ExtremaError `ERR_OPTION` for lines that are no trials of this study's space
 */
export async function importJsonLines<S extends ParameterMap>(
  study: Study<S>,
  lines: string | Iterable<string> | AsyncIterable<string>,
): Promise<number> {
  let text = ''
  for await (const piece of typeof lines === 'string' ? [lines] : lines) text += piece
  const trials = text.split('\n').flatMap((line, k) => {
    if (line.trim() === '') return []
    const trial = imported(parse(line, k + 1), `line ${k + 1}`, study)
    return trial === undefined ? [] : [trial]
  })
  for (const trial of trials) await study.import(trial)
  return trials.length
}

function parse(line: string, number: number): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw new ExtremaError('ERR_OPTION', `line ${number}: expected JSON, got '${line.slice(0, 40)}'`, { cause })
  }
}
