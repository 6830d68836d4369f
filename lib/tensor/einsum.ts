import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { matmul } from './matmul.js'
import { sum } from './reduce.js'
import { reshape, transpose } from './shape.js'
import { shapeText, sizeOf, type Tensor } from './tensor.js'

interface Operand {
  x: Tensor
  /** A letter per axis. */
  letters: string
}

/**
 * Sums of products by Einstein's convention: `einsum('bij,bjk->bik', a, b)`. A letter names an axis; those that are not
 * to the right of the arrow are summed. Without an arrow the result has the letters that occur once, in alphabetical
 * order. More than two operands are multiplied from left to right.
 *
 * @throws ExtremaError `ERR_SHAPE` for letters that do not fit, also for one twice in an operand
 */
export function einsum(expression: string, ...operands: Tensor[]): Tensor {
  const [inputs, output] = parse(expression, operands)
  const lengths = new Map<string, number>()
  const given = operands.map((x, i): Operand => {
    const letters = inputs[i]
    if (letters.length !== x.rank || new Set(letters).size !== letters.length) {
      const expected = `different letters for the ${x.rank} axes of ${shapeText(x.shape)}`
      throw new ExtremaError('ERR_SHAPE', `einsum: expected ${expected}, got '${letters}'`)
    }
    x.shape.forEach((length, axis) => {
      const before = lengths.get(letters[axis])
      if (before !== undefined && before !== length) {
        const shapes = operands.map(({ shape }) => shapeText(shape)).join(' and ')
        const expected = `one length for '${letters[axis]}' of '${expression}'`
        throw new ExtremaError('ERR_SHAPE', `einsum: expected ${expected}, got ${shapes}`)
      }
      lengths.set(letters[axis], length)
    })
    return { x, letters }
  })
  let result = given[0]
  for (let i = 1; i < given.length; i++) {
    const later = given
      .slice(i + 1)
      .map(({ letters }) => letters)
      .join('')
    result = contracted(result, given[i], (letter) => output.includes(letter) || later.includes(letter))
  }
  result = summed(result, (letter) => output.includes(letter))
  return transpose(
    result.x,
    [...output].map((letter) => result.letters.indexOf(letter)),
  )
}

function parse(expression: string, operands: readonly Tensor[]): [inputs: string[], output: string] {
  const match =
    typeof expression === 'string' ? /^([a-zA-Z,]*)(?:->([a-zA-Z]*))?$/.exec(expression.replace(/\s/g, '')) : null
  const inputs = match?.[1].split(',') ?? []
  if (match === null || inputs.length !== operands.length) {
    const expected = `letters for ${operands.length} operands such as 'ij,jk->ik'`
    throw new ExtremaError('ERR_SHAPE', `einsum: expected ${expected}, got ${describe(expression)}`)
  }
  const all = inputs.join('')
  const once = [...new Set(all)].filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter))
  const output = match[2] ?? once.sort().join('')
  if ([...output].some((letter) => !all.includes(letter)) || new Set(output).size !== output.length) {
    throw new ExtremaError('ERR_SHAPE', `einsum: expected different letters of the operands, got '${output}'`)
  }
  return [inputs, output]
}

/** Without the letters that are not kept. */
function summed({ x, letters }: Operand, keep: (letter: string) => boolean): Operand {
  const axes = [...letters].flatMap((letter, axis) => (keep(letter) ? [] : [axis]))
  if (axes.length === 0) return { x, letters }
  return { x: sum(x, axes), letters: [...letters].filter(keep).join('') }
}

/** Two operands as one batched matrix product. */
function contracted(first: Operand, second: Operand, keep: (letter: string) => boolean): Operand {
  const a = summed(first, (letter) => keep(letter) || second.letters.includes(letter))
  const b = summed(second, (letter) => keep(letter) || first.letters.includes(letter))
  const shared = [...a.letters].filter((letter) => b.letters.includes(letter))
  const batch = shared.filter(keep)
  const inner = shared.filter((letter) => !keep(letter))
  const rows = [...a.letters].filter((letter) => !shared.includes(letter))
  const columns = [...b.letters].filter((letter) => !shared.includes(letter))
  const left = arranged(a, [batch, rows, inner])
  const right = arranged(b, [batch, inner, columns])
  const lengthsOf = ({ x, letters }: Operand, wanted: string[]): number[] =>
    wanted.map((letter) => x.shape[letters.indexOf(letter)])
  const shape = [...lengthsOf(a, batch), ...lengthsOf(a, rows), ...lengthsOf(b, columns)]
  return { x: reshape(matmul(left, right), shape), letters: [...batch, ...rows, ...columns].join('') }
}

/** Three groups of axes as three axes. */
function arranged({ x, letters }: Operand, groups: readonly string[][]): Tensor {
  const order = groups.flat().map((letter) => letters.indexOf(letter))
  const sizes = groups.map((group) => sizeOf(group.map((letter) => x.shape[letters.indexOf(letter)])))
  return reshape(transpose(x, order), sizes)
}
