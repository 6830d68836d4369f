"""NumPy and SciPy as measured peers of the dense routines.

Reads a JSON request from the command line: {"op", "a": file, "shape", "b": file?, "repetitions"}; writes {"seconds": [...], ...}.
Reading is outside the timer.
"""

import json
import sys
import time

import numpy as np
import scipy.linalg

request = json.loads(sys.argv[1])
a = np.fromfile(request["a"]).reshape(request["shape"])
op = request["op"]
answer = {}

if op == "least-squares":
    b = np.fromfile(request["b"])
    # LAPACK's dgels is not in the high-level interface. Its copy of A, column-major, is made outside the timer.
    gels, workspace = scipy.linalg.get_lapack_funcs(("gels", "gels_lwork"), (a, b))
    size = int(workspace(*a.shape, 1)[0])

    def prepare():
        return np.asfortranarray(a), b.copy()

    def solve(copy):
        return gels(copy[0], copy[1], lwork=size, overwrite_a=True, overwrite_b=True)[1][: a.shape[1]]

else:
    routines = {
        "cholesky": lambda x: scipy.linalg.cholesky(x, lower=True, check_finite=False),
        "lu": lambda x: scipy.linalg.lu_factor(x, check_finite=False),
        "qr": lambda x: scipy.linalg.qr(x, mode="economic", check_finite=False),
        "eigen": lambda x: np.linalg.eigh(x),
        "svd": lambda x: np.linalg.svd(x, full_matrices=False),
        "product": lambda x: x @ x,
    }
    solve = routines[op]

    def prepare():
        return a


seconds = []
for _ in range(request["repetitions"] + 1):
    given = prepare()
    start = time.perf_counter()
    result = solve(given)
    seconds.append(time.perf_counter() - start)
if len(seconds) > 1:
    seconds = seconds[1:]
if op == "least-squares":
    answer["residual"] = float(np.linalg.norm(a @ result - b))
elif op in ("eigen", "svd"):
    answer["values"] = np.asarray(result[0] if op == "eigen" else result[1]).tolist()
print(json.dumps({"seconds": seconds, **answer}))
