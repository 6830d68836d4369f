import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { type Shape, shapeText, type Tensor } from './tensor.js'

/** One number for all spatial axes, or one for each. */
export type PerAxis = number | readonly number[]

/**
 * Zeros around the input: as many at both ends of every axis, [before, after] for each axis, 'valid' for none, 'same' for
 * as many as make the output as long as the input, divided by the stride and rounded up, the odd one at the end.
 */
export type Padding = number | 'same' | 'valid' | readonly (readonly [before: number, after: number])[]

/** Where a window goes along each spatial axis. */
export interface Windows {
  input: Shape
  output: Shape
  kernel: Shape
  stride: Shape
  dilation: Shape
  /** Zeros before the first entry. */
  before: Shape
}

/** An option that may differ between axes. */
export function perAxis(name: string, value: unknown, fallback: number, axes: number): number[] {
  const given = value ?? fallback
  const list: readonly unknown[] = Array.isArray(given) ? given : Array.from({ length: axes }, () => given)
  if (list.length === axes && list.every((length) => isWhole(length, 1))) return [...list] as number[]
  throw new ExtremaError(
    'ERR_OPTION',
    `${name}: expected a whole number > 0 or ${axes} of them, got ${optionText(value)}`,
  )
}

function isWhole(value: unknown, least: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) < 2 ** 31
}

function optionText(value: unknown): string {
  return Array.isArray(value) ? JSON.stringify(value) : describe(value)
}

/** How far a kernel reaches, dilated. */
export function span(kernel: number, dilation: number): number {
  return dilation * (kernel - 1) + 1
}

/** [before, after] for each axis. `same` says how much an axis needs in all. */
export function paddingOf(
  name: string,
  padding: Padding | undefined,
  axes: number,
  same: (axis: number) => number,
): (readonly [number, number])[] {
  const each = (pair: (axis: number) => readonly [number, number]): (readonly [number, number])[] =>
    Array.from({ length: axes }, (_, axis) => pair(axis))
  if (padding === undefined || padding === 'valid') return each(() => [0, 0])
  if (padding === 'same') {
    return each((axis) => {
      const total = Math.max(0, same(axis))
      return [Math.floor(total / 2), Math.ceil(total / 2)]
    })
  }
  if (typeof padding === 'number' && isWhole(padding, 0)) return each(() => [padding, padding])
  const right =
    Array.isArray(padding) &&
    padding.length === axes &&
    padding.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((width) => isWhole(width, 0)))
  if (right) return padding as (readonly [number, number])[]
  const expected = `a whole number >= 0, 'same', 'valid' or [before, after] for each of ${axes} axes`
  throw new ExtremaError('ERR_OPTION', `${name}.padding: expected ${expected}, got ${optionText(padding)}`)
}

/** The windows over an input. Undefined where one does not fit. */
export function windowsOver(
  name: string,
  input: Shape,
  kernel: Shape,
  stride: Shape,
  dilation: Shape,
  padding: Padding | undefined,
): Windows | undefined {
  const spans = kernel.map((length, axis) => span(length, dilation[axis]))
  const pairs = paddingOf(name, padding, input.length, (axis) => {
    const output = Math.ceil(input[axis] / stride[axis])
    return (output - 1) * stride[axis] + spans[axis] - input[axis]
  })
  if (pairs.flat().some((width) => width >= 2 ** 31)) {
    throw new ExtremaError('ERR_OPTION', `${name}.padding: expected less than 2^31, got ${pairs.join(' and ')}`)
  }
  const room = input.map((length, axis) => length + pairs[axis][0] + pairs[axis][1] - spans[axis])
  if (room.some((length) => length < 0)) return undefined
  const output = room.map((length, axis) => Math.floor(length / stride[axis]) + 1)
  return { input, output, kernel, stride, dilation, before: pairs.map(([before]) => before) }
}

/** As the kernels read it. */
export function geometryOf(
  { input, output, kernel, stride, before, dilation }: Windows,
  batch: number,
  groups: number,
  channels: number,
  filters: number,
): Int32Array {
  const three = (lengths: Shape, fill: number): number[] => [...new Array(3 - lengths.length).fill(fill), ...lengths]
  return Int32Array.of(
    ...[batch, groups, channels, filters],
    ...[...three(input, 1), ...three(output, 1), ...three(kernel, 1)],
    ...[...three(stride, 1), ...three(before, 0), ...three(dilation, 1)],
  )
}

/** The axes behind batch and channels, which must be as many as the name says. */
export function spatialAxes(name: string, x: Tensor, axes: number): Shape {
  if (x.rank === axes + 2) return x.shape.slice(2)
  const expected = `an input of shape [batch, channels, ${axes === 1 ? 'length' : `${axes} axes`}]`
  throw new ExtremaError('ERR_SHAPE', `${name}: expected ${expected}, got ${shapeText(x.shape)}`)
}
