/**
 * A name that an object of a JSON text, at any depth, has twice; JSON.parse keeps the last one in silence. The text must be
 * valid.
 */
export function repeatedName(text: string): string | undefined {
  /** For each object or array around: the names so far, or undefined in arrays. */
  const open: (Set<string> | undefined)[] = []
  const token = /"(?:[^"\\]|\\.)*"|[{}[\]]/gs
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [part] = match
    if (part === '{') open.push(new Set())
    else if (part === '[') open.push(undefined)
    else if (part === '}' || part === ']') open.pop()
    else {
      const names = open[open.length - 1]
      if (names === undefined || !/^\s*:/.test(text.slice(token.lastIndex, token.lastIndex + 64))) continue
      const name = JSON.parse(part) as string
      if (names.has(name)) return name
      names.add(name)
    }
  }
  return undefined
}
