import { ExtremaError } from '../../core/errors.js'
import { checkIndices, type Indices } from '../gather.js'
import { argmax } from '../order.js'
import { checkTensor, sameShape, shapeText, type Tensor } from '../tensor.js'

/**
 * The part of the rows whose largest entry along the last axis (the first of equal ones) is at the right class. NaN is the
 * largest of all, so that a row with NaN is right by chance only.
 *
 * @param predictions rows of logits or probabilities
 * @param labels whole numbers of the shape of the predictions without the last axis
 */
export function accuracy(predictions: Tensor, labels: Indices): number {
  const { shape, rank } = checkTensor('accuracy', predictions)
  const classes = rank === 0 ? 0 : shape[rank - 1]
  const right = checkIndices('accuracy', labels, classes)
  if (rank === 0 || !sameShape(right.shape, shape.slice(0, -1)) || right.size === 0) {
    const came = `${shapeText(shape)} and ${shapeText(right.shape)}`
    throw new ExtremaError('ERR_SHAPE', `accuracy: expected rows of predictions with a label each, got ${came}`)
  }
  const chosen = argmax(predictions)
  let hits = 0
  for (let i = 0; i < right.size; i++) if (chosen.data[i] === right.data[i]) hits++
  return hits / right.size
}
