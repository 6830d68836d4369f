import { format } from './table.js'

/** A figure that the project set itself, and what was reached. */
export interface Target {
  name: string
  target: string
  reached: string
  met: boolean
}

// Every figure here is positive; a time that came out below zero, from noise, meets nothing.

export function atMost(name: string, value: number, limit: number, unit = ''): Target {
  return {
    name,
    target: `≤ ${format(limit)}${unit}`,
    reached: `${format(value)}${unit}`,
    met: value > 0 && value <= limit,
  }
}

export function atLeast(name: string, value: number, limit: number, unit = ''): Target {
  return { name, target: `≥ ${format(limit)}${unit}`, reached: `${format(value)}${unit}`, met: value >= limit }
}
