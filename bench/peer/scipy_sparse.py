"""scipy.sparse on the 5-point Laplacian as a measured peer.

scipy_sparse.py <points on a side> <repetitions> <tolerance> prints one JSON answer
{"scipy", "matvec": [seconds], "cg": [seconds], "iterations"}. The right-hand side is 1 everywhere.
"""

import json
import sys
import time

import numpy as np
import scipy
import scipy.sparse as sparse
from scipy.sparse.linalg import cg

side, repetitions, tolerance = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
line = sparse.diags([-1, 2, -1], [-1, 0, 1], shape=(side, side))
matrix = sparse.csr_matrix(sparse.kronsum(line, line))
x = np.sin(np.arange(side * side))
matvec = []
for _ in range(10 * repetitions):
    start = time.perf_counter()
    matrix @ x
    matvec.append(time.perf_counter() - start)
b = np.ones(side * side)
seconds, iterations = [], 0
for _ in range(repetitions):
    iterations = 0

    def count(_):
        global iterations
        iterations += 1

    start = time.perf_counter()
    solution, info = cg(matrix, b, tol=tolerance, atol=0, callback=count, maxiter=100000)
    seconds.append(time.perf_counter() - start)
residual = float(np.linalg.norm(b - matrix @ solution) / np.linalg.norm(b))
print(json.dumps({
    "scipy": scipy.__version__,
    "matvec": matvec,
    "cg": seconds,
    "iterations": iterations,
    "residual": residual,
}))
