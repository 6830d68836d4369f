"""Low-rank Sinkhorn by POT: reads a JSON request from the command line, writes {"seconds", "value"}, or null where POT has none."""

import json
import sys
import time

import numpy as np
import ot

request = json.loads(sys.argv[1])
n, d, rank = request["n"], request["d"], request["rank"]
x = np.fromfile(request["x"]).reshape(n, d)
y = np.fromfile(request["y"]).reshape(n, d)
if not hasattr(ot, "lowrank"):
    print("null")
    sys.exit()
begin = time.perf_counter()
q, r, g = ot.lowrank.lowrank_sinkhorn(
    x, y, reg=0, rank=rank, numItermax=request["iterations"], stopThr=request["tolerance"], seed_init=1
)
seconds = time.perf_counter() - begin
xx, yy = (x**2).sum(1), (y**2).sum(1)
value = xx @ q.sum(1) + yy @ r.sum(1) - 2 * np.sum((x.T @ q) / g * (y.T @ r))
print(json.dumps({"seconds": seconds, "value": value}))
