"""Gromov-Wasserstein by POT: reads a JSON request from the command line, writes {"seconds": [...], "value": ...}."""

import json
import sys
import time

import numpy as np
import ot

request = json.loads(sys.argv[1])
n = request["n"]
source = np.fromfile(request["source"]).reshape(n, n)
target = np.fromfile(request["target"]).reshape(n, n)
weights = np.full(n, 1 / n)
epsilon = request.get("epsilon")

seconds = []
for _ in range(request["repetitions"]):
    begin = time.perf_counter()
    if epsilon is None:
        plan = ot.gromov.gromov_wasserstein(source, target, weights, weights, "square_loss", numItermax=1000)
    else:
        plan = ot.gromov.entropic_gromov_wasserstein(
            source, target, weights, weights, "square_loss", epsilon, max_iter=1000, tol=request["tolerance"]
        )
    seconds.append(time.perf_counter() - begin)

rows, columns = plan.sum(1), plan.sum(0)
value = rows @ source**2 @ rows + columns @ target**2 @ columns - 2 * np.sum((source @ plan @ target) * plan)
error = np.abs(rows - weights).sum() + np.abs(columns - weights).sum()
print(json.dumps({"seconds": seconds, "value": value, "marginalError": error}))
