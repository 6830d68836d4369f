// The rooms of lib/ import downward only (docs/architecture.md). Prints every import that goes up or sideways.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

const layers = [
  ['cli', 'dashboard', 'distributed'],
  ['merge', 'moe', 'learning', 'workflow'],
  [
    ...['transport', 'lowrank', 'curvature', 'implicit', 'descent', 'constrained', 'bilevel', 'zeroth', 'bayes'],
    ...['inference', 'online', 'monotone', 'robust', 'pareto', 'privacy', 'aggregate'],
  ],
  ['linear', 'tensor'],
  ['random'],
  ['backend'],
  ['core'],
]
const rank = new Map(layers.flatMap((rooms, index) => rooms.map((room) => [room, index])))
const specifier = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\(\s*)['"](\.[^'"]+)['"]/g

const problems = []
for (const entry of readdirSync('lib', { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.[cm]?ts$/.test(entry.name)) continue
  const file = path.join(entry.parentPath, entry.name)
  const room = roomOf(file)
  if (room === undefined) continue // lib/index.ts may import everything
  if (!rank.has(room)) problems.push(`${file}: room "${room}" is not in the table of scripts/check-layers.mjs`)
  for (const [, target] of readFileSync(file, 'utf8').matchAll(specifier)) {
    const other = roomOf(path.join(path.dirname(file), target))
    if (other === room) continue
    if (other === undefined || !(rank.get(other) > rank.get(room))) problems.push(`${file}: ${room} imports ${target}`)
  }
}

function roomOf(file) {
  const [, room, ...rest] = file.split(path.sep)
  return rest.length > 0 ? room : undefined
}

for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exit(1)
