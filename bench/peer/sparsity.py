"""Quadratic and sparsity-constrained transport in Python as measured peers.

sparsity.py <request> prints one JSON answer {"pot", "scipy", "seconds": [...], "evaluations", "iterations", "dual", "rowError",
"nonzeros"}. Reading is outside the timer.

Requests, in a JSON file
  {"method": "quadratic" | "sparse", "cost": path, "shape": [n, m], "a": path, "b": path, "gamma": gamma, "maxNonzeros": k,
   "iterations": most, "tolerance": tol, "repetitions": count}
"quadratic" is POT's smooth_ot_semi_dual. Where POT has no sparsity-constrained regulariser (before 0.9), "sparse" is the
published algorithm (arXiv 2209.15466) in NumPy: the k largest entries of each column by argpartition, their projection on
the simplex by sorting, SciPy's L-BFGS-B on the semi-dual from zero.
"""

import json
import sys
import time

import numpy as np
import ot
import scipy
from scipy.optimize import minimize

with open(sys.argv[1]) as file:
    request = json.load(file)
n, m = request["shape"]
gamma, k = request["gamma"], request["maxNonzeros"]
cost = np.fromfile(request["cost"], dtype="<f8").reshape(n, m)
a = np.fromfile(request["a"], dtype="<f8")
b = np.fromfile(request["b"], dtype="<f8")


def columns(alpha):
    """The plan's entries, k × m, and the rows that they are in."""
    s = alpha[:, None] - cost
    if k < n:
        rows = np.argpartition(-s, k - 1, axis=0)[:k]
        largest = np.take_along_axis(s, rows, axis=0)
        order = np.argsort(-largest, axis=0)
        rows = np.take_along_axis(rows, order, axis=0)
    else:
        rows = np.argsort(-s, axis=0)
    u = np.take_along_axis(s, rows, axis=0)
    levels = (np.cumsum(u, axis=0) - gamma * b) / np.arange(1, k + 1)[:, None]
    count = np.count_nonzero(u > levels, axis=0)
    level = levels[count - 1, np.arange(m)]
    return rows, u, np.maximum(u - level, 0) / gamma


def dual(alpha):
    rows, u, t = columns(alpha)
    value = a @ alpha - np.sum(u * t) + 0.5 * gamma * np.sum(t * t)
    return value, a - np.bincount(rows.ravel(), t.ravel(), minlength=n)


def sparse():
    def objective(alpha):
        value, slope = dual(alpha)
        return -value, -slope

    options = {"maxiter": request["iterations"], "maxfun": 10**9}
    found = minimize(objective, np.zeros(n), method="L-BFGS-B", jac=True, tol=request["tolerance"], options=options)
    return found.x, found


def quadratic():
    _, log = ot.smooth.smooth_ot_semi_dual(
        a, b, cost, gamma, reg_type="l2", numItermax=request["iterations"], stopThr=request["tolerance"], log=True
    )
    return log["alpha"], log["res"]


solve = {"sparse": sparse, "quadratic": quadratic}[request["method"]]
seconds = []
for _ in range(request["repetitions"]):
    start = time.perf_counter()
    alpha, found = solve()
    seconds.append(time.perf_counter() - start)
value, slope = dual(alpha)
print(
    json.dumps(
        {
            "pot": ot.__version__,
            "scipy": scipy.__version__,
            "seconds": seconds,
            "evaluations": int(found.nfev),
            "iterations": int(found.nit),
            "dual": float(value),
            "rowError": float(np.abs(slope).sum()),
            "nonzeros": int(np.count_nonzero(columns(alpha)[2], axis=0).max()),
        }
    )
)
