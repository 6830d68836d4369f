import { readFile } from 'node:fs/promises'
import { type SearchSpace, spaceFromJSON } from '../../bayes/index.js'
import { InputError } from '../errors.js'

/** The search space in a file of JSON. */
export async function readSpace(path: string, signal: AbortSignal): Promise<SearchSpace> {
  const text = await readFile(path, { encoding: 'utf8', signal })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new InputError(`${path}: expected JSON, got ${(error as Error).message}`)
  }
  return spaceFromJSON(json)
}
