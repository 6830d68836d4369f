"""scipy.optimize.linear_sum_assignment as a measured peer.

scipy_assignment.py <file of little-endian float64> <n> <m> <repetitions> prints one JSON answer
{"scipy", "seconds": [...], "value"}. Reading is outside the timer.
"""

import json
import sys
import time

import numpy as np
import scipy
from scipy.optimize import linear_sum_assignment

path, n, m, repetitions = sys.argv[1], *map(int, sys.argv[2:])
cost = np.fromfile(path, dtype="<f8").reshape(n, m)
seconds = []
for _ in range(repetitions):
    start = time.perf_counter()
    rows, columns = linear_sum_assignment(cost)
    seconds.append(time.perf_counter() - start)
print(json.dumps({"scipy": scipy.__version__, "seconds": seconds, "value": float(cost[rows, columns].sum())}))
