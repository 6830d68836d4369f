import { InvalidArgumentError } from 'commander'

/** A finite number > 0, as commander's argument parsers are written. */
export function positiveNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('Expected a finite number > 0.')
}

export function nonNegativeNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('Expected a finite number >= 0.')
}

export function positiveInteger(text: string): number {
  const value = positiveNumber(text)
  if (Number.isInteger(value) && value < 2 ** 31) return value
  throw new InvalidArgumentError('Expected a whole number > 0.')
}

export function nonNegativeInteger(text: string): number {
  const value = nonNegativeNumber(text)
  if (Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('Expected a whole number >= 0.')
}

export function names(text: string): string[] {
  return text.split(',').map((name) => name.trim())
}
