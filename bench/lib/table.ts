/** `null` is a figure that does not exist, such as the Newton iterations of Sinkhorn. */
export type Cell = string | number | null

export interface Table {
  title: string
  /** How it was measured, where the title does not say it. */
  note?: string
  columns: string[]
  rows: Cell[][]
}

/** Three significant digits; counts in full, with thousands separators. */
export function format(value: Cell): string {
  if (value === null) return '–'
  if (typeof value === 'string') return value
  if (!Number.isFinite(value)) return String(value)
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString('en-US')
  const magnitude = Math.abs(value)
  if (magnitude < 1e-3 || magnitude >= 1e9) return value.toExponential(1)
  if (magnitude >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

/** A GitHub markdown table with aligned columns: text to the left, numbers to the right. */
export function markdown(columns: string[], rows: Cell[][]): string {
  const body = rows.map((row) => row.map(format))
  const widths = columns.map((column, c) => Math.max(3, column.length, ...body.map((row) => row[c].length)))
  const numeric = columns.map((_, c) => rows.some((row) => typeof row[c] === 'number'))
  const line = (cells: string[]) =>
    `| ${cells.map((cell, c) => (numeric[c] ? cell.padStart(widths[c]) : cell.padEnd(widths[c]))).join(' | ')} |`
  const rule = widths.map((width, c) => (numeric[c] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  return [line(columns), line(rule), ...body.map(line)].join('\n')
}
