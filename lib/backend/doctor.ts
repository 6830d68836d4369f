import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join, sep } from 'node:path'
import addon from './addon.cjs'
import { type BackendInfo, backend } from './index.js'

/** What `npx extrema doctor` prints. */
export interface DoctorReport {
  /** Version of the package. */
  version: string
  node: string
  /** Platform, architecture and, on Linux, libc. */
  platform: string
  cpu: string
  backend: BackendInfo['name']
  /** Why this backend runs. */
  reason: string
  /** What to do to run natively; absent when it does. */
  advice?: string
  /** The native binary that was found. */
  binary?: string
  /** Whether it came with the package or was built here. */
  origin?: 'prebuild' | 'local build'
  /** Version of the package the binary was built from. */
  binaryVersion?: string
  blas?: string
  /** The processor kernels that OpenBLAS chose. */
  blasCore?: string
  /** Instruction set of the package's own kernels. */
  simd?: string
  /** Most threads of one call by default. */
  threads: number
}

/** Which backend runs, why, and what it runs on. */
export function doctor(): DoctorReport {
  const { name, reason, path, version: binaryVersion, ...rest } = backend()
  const version = packageVersion()
  const report: DoctorReport = {
    version,
    node: process.version,
    platform: platform(),
    cpu: cpus()[0]?.model ?? 'unknown',
    backend: name,
    reason,
    binary: path,
    origin: path === undefined ? undefined : path.includes(`${sep}prebuilds${sep}`) ? 'prebuild' : 'local build',
    binaryVersion,
    ...rest,
  }
  const advice = adviceFor(report)
  if (advice !== undefined) report.advice = advice
  return report
}

function adviceFor(report: DoctorReport): string | undefined {
  if (report.binaryVersion !== undefined && report.binaryVersion !== report.version) {
    return `the binary was built from version ${report.binaryVersion}: build it again`
  }
  if (report.backend === 'native') return undefined
  if (process.env.EXTREMA_BACKEND === 'portable') return 'unset EXTREMA_BACKEND to let the native binary load'
  if (report.binary === undefined) {
    return 'there is no prebuilt binary for this platform: see docs/building.md for building one'
  }
  return 'reinstall the package, or build the binary here: see docs/building.md'
}

function platform(): string {
  const name = `${process.platform}-${process.arch}`
  if (process.platform !== 'linux') return name
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  return `${name} (${header.glibcVersionRuntime === undefined ? 'musl' : `glibc ${header.glibcVersionRuntime}`})`
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(addon.packageRoot(), 'package.json'), 'utf8')) as { version: string }
  return version
}
