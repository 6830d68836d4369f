"""POT's unbalanced transport and Sinkhorn divergence as measured peers, stopped at the accuracy that is asked for.

pot_relaxed.py <request as JSON> prints one JSON answer. Files hold raw little-endian float64; reading is outside the timer.

  {"op": "unbalanced", "cost": path, "a": path, "b": path, "shape": [n, m], "epsilon", "penalty", "tolerance", "limit"}
  {"op": "l2" | "tv", "cost", "a", "b": paths, "shape": [n, m], "penalty", "objective", "limit"}
  {"op": "divergence", "xy", "xx", "yy": paths, "a", "b": paths, "shape": [n, m], "epsilon", "tolerance", "limit"}

Answer: {"pot", "seconds", "iterations", "residual", "value"}, or {"pot", "failure"} where POT does not get there: its
potentials are not finite, or `limit` seconds pass. The residual of unbalanced transport is
(|P1 - a exp(-f / rho)|_1 + |P'1 - b exp(-g / rho)|_1) / mass, f and g from POT's own scalings; the value is <C,P>. That of
a divergence is the largest L1 marginal error of the three plans; the value comes from their potentials, since POT's own
leaves out the entropic terms. "l2" and "tv" have no entropic term: POT's majorisation for least squares at the loosest
threshold whose objective is no more than `objective`, and its network simplex on the linear program of total variation; their
value is the objective, their residual 0.
"""

import json
import signal
import sys
import time
import warnings

import numpy as np
import ot

warnings.simplefilter("ignore")
request = json.loads(sys.argv[1])
n, m = request["shape"]
epsilon, tolerance = request.get("epsilon"), request.get("tolerance")


def read(name, *shape):
    return np.fromfile(request[name], dtype="<f8").reshape(shape)


class TimeLimit(Exception):
    pass


def expire(_signal, _frame):
    raise TimeLimit()


signal.signal(signal.SIGALRM, expire)


def answer(**fields):
    print(json.dumps({"pot": ot.__version__, **fields}))
    sys.exit()


def timed(call):
    signal.setitimer(signal.ITIMER_REAL, request["limit"])
    try:
        start = time.perf_counter()
        result = call()
        return result, time.perf_counter() - start
    except TimeLimit:
        answer(failure=f"more than {request['limit']} s")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def unbalanced():
    cost, a, b = read("cost", n, m), read("a", n), read("b", m)
    rho = request["penalty"]
    # POT stops on the change of its scalings: the loosest threshold that gets there is the fair one.
    for digits in np.arange(5, 16.5, 0.5):
        (plan, log), seconds = timed(
            lambda: ot.unbalanced.sinkhorn_knopp_unbalanced(
                a, b, cost, epsilon, rho, numItermax=10_000_000, stopThr=10.0**-digits, log=True
            )
        )
        with np.errstate(all="ignore"):
            rows = a * np.exp(-epsilon / rho * log["logu"])
            columns = b * np.exp(-epsilon / rho * log["logv"])
            missed = np.abs(plan.sum(1) - rows).sum() + np.abs(plan.sum(0) - columns).sum()
            residual = missed / plan.sum()
        if not np.isfinite(residual):
            answer(failure="not finite")
        if residual <= tolerance:
            answer(seconds=seconds, iterations=len(log["err"]), residual=residual, value=float((plan * cost).sum()))
    answer(failure=f"no better than {residual:.1e}")


def l2():
    cost, a, b = read("cost", n, m), read("a", n), read("b", m)
    rho = request["penalty"]
    for digits in np.arange(3, 16.5, 1):
        call = lambda: ot.unbalanced.mm_unbalanced(
            a, b, cost, rho / 2, div="l2", numItermax=10_000_000, stopThr=10.0**-digits
        )
        plan, seconds = timed(call)
        missed = ((plan.sum(1) - a) ** 2).sum() + ((plan.sum(0) - b) ** 2).sum()
        value = float((plan * cost).sum() + rho / 2 * missed)
        if value <= request["objective"]:
            answer(seconds=seconds, iterations=0, residual=0, value=value)
    answer(failure=f"no better than {value:.6g}")


def tv():
    cost, a, b = read("cost", n, m), read("a", n), read("b", m)
    rho = request["penalty"]
    # What stays and what is missing goes by way of one more source and target; costs are at least 0.
    table = np.full((n + 1, m + 1), rho)
    table[:n, :m], table[n, m] = cost, 0
    call = lambda: ot.emd2(np.append(a, b.sum()), np.append(b, a.sum()), table, numItermax=10_000_000)
    value, seconds = timed(call)
    answer(seconds=seconds, iterations=0, residual=0, value=float(value))


def part(cost, a, b):
    """The plan's marginal error and entropic value, at the loosest threshold that gets there."""

    def solve(stop):
        call = lambda: ot.bregman.sinkhorn_knopp(a, b, cost, epsilon, numItermax=10_000_000, stopThr=stop, log=True)
        (plan, log), seconds = timed(call)
        error = np.abs(plan.sum(1) - a).sum() + np.abs(plan.sum(0) - b).sum()
        return plan, log, seconds, error

    plan, log, seconds, error = solve(tolerance / np.sqrt(len(b)))
    if not error <= tolerance:
        answer(failure="not finite" if not np.isfinite(error) else f"no better than {error:.1e}")
    sharp = solve(0.99 * tolerance * np.linalg.norm(plan.sum(0) - b) / error)
    if sharp[3] <= tolerance:
        plan, log, seconds, error = sharp
    value = epsilon * (a @ np.log(log["u"]) + b @ np.log(log["v"]) - plan.sum())
    return seconds, log["niter"] + 1, error, value


def divergence():
    a, b = read("a", n), read("b", m)
    parts = [part(read("xy", n, m), a, b), part(read("xx", n, n), a, a), part(read("yy", m, m), b, b)]
    seconds, iterations, errors, values = zip(*parts)
    answer(
        seconds=sum(seconds),
        iterations=int(sum(iterations)),
        residual=float(max(errors)),
        value=float(values[0] - (values[1] + values[2]) / 2),
    )


{"unbalanced": unbalanced, "divergence": divergence, "l2": l2, "tv": tv}[request["op"]]()
