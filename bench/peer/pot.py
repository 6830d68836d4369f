"""POT (Python Optimal Transport) as a measured peer.

Reads one JSON request per line on standard input and writes one JSON answer per line on standard output.
Vectors and matrices are files of raw little-endian numbers, read and cached outside the timer.

Requests
  {"op": "info"}
  {"op": "solve", "method": "sinkhorn" | "sinkhorn_log" | "sinkhorn_stabilized" | "sinkhorn_epsilon_scaling" | "emd",
   "cost": path, "shape": [n, m], "dtype": "<f8" | "<f4", "a": path, "b": path, "regularization": epsilon,
   "iterations": numItermax, "stop": stopThr, "options": {...}, "timeLimit": seconds}
Answer of "solve": {"seconds", "iterations", "rowError", "columnError", "columnErrorL2", "cost", "warnings", "timedOut"}.
The marginal errors and the cost are computed from the returned plan after the clock has stopped.
"""

import json
import platform
import signal
import sys
import time
import warnings

import numpy as np
import ot

SOLVERS = {
    "sinkhorn": ot.bregman.sinkhorn_knopp,
    "sinkhorn_log": ot.bregman.sinkhorn_log,
    "sinkhorn_stabilized": ot.bregman.sinkhorn_stabilized,
    "sinkhorn_epsilon_scaling": ot.bregman.sinkhorn_epsilon_scaling,
}

arrays = {}


class TimeLimit(Exception):
    pass


def read(path, dtype, shape):
    key = (path, dtype)
    if key not in arrays:
        arrays[key] = np.fromfile(path, dtype=dtype).reshape(shape)
    return arrays[key]


def info():
    try:
        from threadpoolctl import threadpool_info

        blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    except ImportError:
        blas = []
    return {
        "python": platform.python_version(),
        "pot": ot.__version__,
        "numpy": np.__version__,
        "blas": [
            {"name": pool["internal_api"], "version": pool["version"], "core": pool.get("architecture"), "threads": pool["num_threads"]}
            for pool in blas
        ],
    }


def entropic(request, a, b, cost):
    options = dict(request.get("options", {}))
    solver = SOLVERS[request["method"]]
    start = time.perf_counter()
    plan, log = solver(
        a, b, cost, request["regularization"],
        numItermax=request["iterations"], stopThr=request["stop"], log=True, **options,
    )
    seconds = time.perf_counter() - start
    # POT numbers its iterations from zero, under one of two names.
    last = log["niter"] if "niter" in log else log["n_iter"]
    return plan, seconds, int(last) + 1


def exact(request, a, b, cost):
    start = time.perf_counter()
    plan = ot.emd(a, b, cost, numItermax=request["iterations"])
    return plan, time.perf_counter() - start, None


def solve(request):
    n, m = request["shape"]
    dtype = request.get("dtype", "<f8")
    cost = read(request["cost"], dtype, (n, m))
    a = read(request["a"], dtype, (n,))
    b = read(request["b"], dtype, (m,))

    def expire(_signal, _frame):
        raise TimeLimit()

    signal.signal(signal.SIGALRM, expire)
    method = exact if request["method"] == "emd" else entropic
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        begun = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, request.get("timeLimit", 0))
        try:
            plan, seconds, iterations = method(request, a, b, cost)
        except TimeLimit:
            return {"timedOut": True, "seconds": time.perf_counter() - begun}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    columns = plan.sum(axis=0) - b
    return {
        "timedOut": False,
        "seconds": seconds,
        "iterations": iterations,
        "rowError": float(np.abs(plan.sum(axis=1) - a).sum()),
        "columnError": float(np.abs(columns).sum()),
        "columnErrorL2": float(np.linalg.norm(columns)),
        "cost": float(np.sum(plan * cost)),
        "warnings": sorted({str(warning.message) for warning in caught}),
    }


def main():
    operations = {"info": lambda _request: info(), "solve": solve}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = operations[request["op"]](request)
        except Exception as error:  # the parent reports it as a failed measurement
            answer = {"error": f"{type(error).__name__}: {error}"}
        # NaN and Infinity are not JSON.
        answer = {key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in answer.items()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
