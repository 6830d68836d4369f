import { type Coordinate, type Dimension, unitOf } from './dimensions.js'

/** A column of the features that surrogate models see. */
export interface FeatureColumn {
  /** Which of the space's dimensions it belongs to. */
  readonly dimension: number
  readonly name: string
  /** The place in its list that a one-hot column stands for; undefined for numbers and ordered values. */
  readonly value: number | undefined
}

/** One column for a number or an ordered value, one for each value of a category. */
export function featureColumns(dimensions: readonly Dimension[]): FeatureColumn[] {
  return dimensions.flatMap(({ name, parameter, cells }, dimension): FeatureColumn[] => {
    if (parameter.type !== 'categorical' && parameter.type !== 'switch') return [{ dimension, name, value: undefined }]
    return Array.from({ length: cells }, (_, value) => ({
      dimension,
      name: `${name}=${parameter.values[value]}`,
      value,
    }))
  })
}

/** Numbers in [0, 1], and 1 or 0 for the value of a category; 1/2 and 0 where the dimension does not exist. */
export function featuresOf(
  columns: readonly FeatureColumn[],
  dimensions: readonly Dimension[],
  coordinates: readonly Coordinate[],
): Float64Array {
  return Float64Array.from(columns, ({ dimension, value }) => {
    const coordinate = coordinates[dimension]
    if (value !== undefined) return coordinate === value ? 1 : 0
    return coordinate === null ? 0.5 : unitOf(dimensions[dimension], coordinate)
  })
}
