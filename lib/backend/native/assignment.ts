import type { AssignmentJob } from '../transport-assignment.js'

/** The arguments as native/binding/assignment.cc reads them. */
export function assignmentArguments(job: AssignmentJob): readonly unknown[] {
  const parameters = Float64Array.of(job.n, job.m, job.maximize ? 1 : 0)
  return [parameters, job.cost, job.columns, job.f, job.g, job.report]
}
