"""Barycenters of POT (Python Optimal Transport) as a measured peer.

pot_barycenter.py <request> prints one JSON answer {"pot", "seconds": [...], "iterations", "finite"} and writes the
barycenter, raw little-endian float64, to the file that the request names. Reading and writing are outside the timer.

Requests, in a JSON file
  {"method": "barycenter" | "barycenter_debiased", "histograms": path, "shape": [K, n], ...}: places linspace(0, 1, n)
  {"method": "convolutional_barycenter2d" | "convolutional_barycenter2d_debiased", "histograms": path, "shape": [K, n, n], ...}
  {"method": "free_support_barycenter", "measures": [path, ...], "initial": path, "dimension": d, ...}
  with "epsilon", "stop" (stopThr), "iterations" (numItermax), "repetitions", "out": path
"""

import json
import sys
import time
import warnings

import numpy as np
import ot

with open(sys.argv[1]) as file:
    request = json.load(file)
method = request["method"]


def read(path, shape):
    return np.fromfile(path, dtype="<f8").reshape(shape)


limits = {"numItermax": request["iterations"], "stopThr": request["stop"], "log": True}
if method == "free_support_barycenter":
    d = request["dimension"]
    points = [read(path, (-1, d)) for path in request["measures"]]
    weights = [np.full(len(y), 1 / len(y)) for y in points]
    initial = read(request["initial"], (-1, d))

    def solve():
        return ot.lp.free_support_barycenter(points, weights, initial.copy(), **limits)
elif method.startswith("convolutional"):
    histograms = read(request["histograms"], request["shape"])

    def solve():
        return getattr(ot.bregman, method)(histograms, request["epsilon"], warn=False, **limits)
else:
    histograms = np.ascontiguousarray(read(request["histograms"], request["shape"]).T)
    x = np.linspace(0, 1, request["shape"][1])
    cost = (x[:, None] - x[None, :]) ** 2

    def solve():
        return getattr(ot.bregman, method)(histograms, cost, request["epsilon"], warn=False, **limits)


seconds = []
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for _ in range(request["repetitions"]):
        start = time.perf_counter()
        barycenter, log = solve()
        seconds.append(time.perf_counter() - start)
iterations = len(log["displacement_square_norms"]) if "displacement_square_norms" in log else int(log.get("niter", -2)) + 1
np.asarray(barycenter, dtype="<f8").tofile(request["out"])
print(
    json.dumps(
        {
            "pot": ot.__version__,
            "seconds": seconds,
            "iterations": iterations,
            "finite": bool(np.isfinite(barycenter).all()),
        }
    )
)
