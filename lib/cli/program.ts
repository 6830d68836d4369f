import { Command, CommanderError } from 'commander'
import { doctor } from '../backend/doctor.js'
import { colorCommand } from './color/command.js'
import { completeCommand } from './complete/command.js'
import { recommendCommand } from './complete/recommend.js'
import { doctorCommand } from './doctor.js'
import { describeError, exitCode, exitCodeOf } from './errors.js'
import { Interrupt } from './interrupt.js'
import { moeCommand } from './moe/command.js'
import { transportCommand } from './transport/command.js'
import { tuneCommand } from './tune/command.js'

/** Runs the command line and returns the exit code. Never throws. */
export async function run(args: string[]): Promise<number> {
  const interrupt = new Interrupt()
  try {
    await createProgram(interrupt.signal).parseAsync(args, { from: 'user' })
    return exitCode.ok
  } catch (error) {
    if (interrupt.exitCode !== undefined) return interrupt.exitCode
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.input
    process.stderr.write(`${describeError(error)}\n`)
    return exitCodeOf(error)
  } finally {
    interrupt.dispose()
  }
}

function createProgram(signal: AbortSignal): Command {
  const program = new Command('extrema')
    .description(
      'Optimization on files: transport plans, colours between pictures, mixtures of experts, completed matrices, parameters of programs.',
    )
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`${text.trim().replace(/\s*\n\s*/g, ' ')}\n`) })
    .helpCommand(false)
    .option('-V, --version', 'print the version')
    .on('option:version', printVersion)
  transportCommand(program, signal)
  colorCommand(program, signal)
  moeCommand(program, signal)
  completeCommand(program, signal)
  recommendCommand(program, signal)
  tuneCommand(program, signal)
  doctorCommand(program)
  return program
}

function printVersion(): never {
  process.stdout.write(`${doctor().version}\n`)
  throw new CommanderError(exitCode.ok, 'extrema.version', '')
}
