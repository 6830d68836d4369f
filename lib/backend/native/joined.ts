/** One behind the other: reading one long array natively is quicker than many short ones. */
export function joined(arrays: Float64Array[]): Float64Array {
  const all = new Float64Array(arrays.reduce((total, array) => total + array.length, 0))
  let start = 0
  for (const array of arrays) {
    all.set(array, start)
    start += array.length
  }
  return all
}
