/** Prints what the first use says to each value of a variable; an error chooses nothing, so the next may follow. */
import { backend, type ExtremaError } from '../../../lib/index.js'

const [name, ...values] = process.argv.slice(2)
const answers = values.map((value) => {
  process.env[name] = value
  try {
    return `chose ${backend().name}`
  } catch (error) {
    const { name: kind, code, message } = error as ExtremaError
    return `${kind} ${code}: ${message}`
  }
})
console.log(JSON.stringify(answers))
