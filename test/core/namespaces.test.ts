import { expect } from 'chai'
import * as constrained from '../../lib/constrained/index.js'
import * as curvature from '../../lib/curvature/index.js'
import * as descent from '../../lib/descent/index.js'
import * as extrema from '../../lib/index.js'
import * as linear from '../../lib/linear/index.js'
import * as lowrank from '../../lib/lowrank/index.js'
import * as moe from '../../lib/moe/index.js'
import * as tensor from '../../lib/tensor/index.js'

describe('core: the package', () => {
  it('has the rooms whose names would clash as namespaces', () => {
    for (const [name, room] of Object.entries({ constrained, curvature, descent, linear, lowrank, moe, tensor })) {
      expect({ ...((extrema as Record<string, unknown>)[name] as object) }, name).to.deep.equal({ ...room })
    }
  })
})
