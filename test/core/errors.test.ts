import { expect } from 'chai'
import { ExtremaError } from '../../lib/core/index.js'

describe('core: ExtremaError', () => {
  it('is an Error with a code, a name and a cause', () => {
    const cause = new Error('why')
    const error = new ExtremaError('ERR_SHAPE', 'cost: expected 3×4, got 3×5', { cause })
    expect(error).to.be.instanceOf(Error)
    expect(error.code).to.equal('ERR_SHAPE')
    expect(error.name).to.equal('ExtremaError')
    expect(error.message).to.equal('cost: expected 3×4, got 3×5')
    expect(error.cause).to.equal(cause)
    expect(String(error)).to.equal('ExtremaError: cost: expected 3×4, got 3×5')
    expect(error.stack).to.include('errors.test')
    expect(new ExtremaError('ERR_MEMORY', 'x').cause).to.equal(undefined)
  })
})
