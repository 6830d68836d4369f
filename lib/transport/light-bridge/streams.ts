/** Children of the generator of a seed: a stream for each purpose, so that no two share their numbers. */
export const children = {
  source: 0,
  target: 1,
  start: 2,
  matching: 3,
  evaluation: 4,
  picks: 5,
  normals: 6,
  steps: 7,
  bridges: 8,
} as const
