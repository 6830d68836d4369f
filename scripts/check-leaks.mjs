// Reads sanitizer logs: any error fails, and of the leaks those whose stack passes through our addon. Node, V8 and other
// addons keep things to the end of the process on purpose; suppressing frames of theirs by name would hide ours, for they
// stand on every stack that comes from JavaScript.
//
//   node scripts/check-leaks.mjs <log>...
import { readFileSync } from 'node:fs'

/** V8's remembered sets, allocated by a write barrier whoever sets the property. A leaked reference has other allocators. */
function isHeapBookkeeping(block) {
  const [, allocator] = block.match(/^ +#1 \S+ +(?:in )?(.*)$/m) ?? []
  return /^v8::internal::(?:MemoryChunk::|Heap[:_])/.test(allocator ?? '')
}

let failed = false
for (const file of process.argv.slice(2)) {
  const reports = readFileSync(file, 'utf8').split(/^(?==+\d+=+(?:ERROR|WARNING): )/m)
  for (const report of reports) {
    if (!report.includes('LeakSanitizer')) {
      if (/^[=\s]*$/.test(report)) continue
      failed = true
      console.error(report)
      continue
    }
    const leaks = report.split('\n\n').filter((block) => /^(?:Direct|Indirect) leak of /m.test(block))
    const ours = leaks.filter((block) => block.includes('extrema.node') && !isHeapBookkeeping(block))
    if (leaks.length === 0) {
      failed = true
      console.error(report)
    }
    for (const leak of ours) {
      failed = true
      console.error(leak)
    }
    console.log(`${file}: ${leaks.length} leaks at exit, ${ours.length} of them ours`)
  }
}
process.exitCode = failed ? 1 : 0
