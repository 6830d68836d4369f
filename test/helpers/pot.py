"""Solves transport problems with POT (Python Optimal Transport): a list of them as JSON on standard input, their answers on standard output."""

import json
import sys

import numpy as np
import ot


def vectors(problem):
    return [np.array(problem[key], dtype=float) for key in ("a", "b")]


def emd(problem):
    a, b = vectors(problem)
    plan, log = ot.emd(a, b, np.array(problem["cost"], dtype=float), numItermax=10**6, log=True)
    return {"value": float(log["cost"])}


def line(problem):
    a, b = vectors(problem)
    value = ot.wasserstein_1d(np.array(problem["x"], dtype=float), np.array(problem["y"], dtype=float), a, b, p=problem["order"])
    return {"value": float(value)}


def described(plan, cost):
    return {"value": float(np.sum(plan * cost)), "rows": plan.sum(axis=1).tolist(), "columns": plan.sum(axis=0).tolist()}


def sinkhorn(problem):
    a, b = vectors(problem)
    cost = np.array(problem["cost"], dtype=float)
    plan = ot.bregman.sinkhorn_log(a, b, cost, problem["epsilon"], numItermax=20000, stopThr=1e-11)
    return described(plan, cost)


def unbalanced(problem):
    a, b = vectors(problem)
    cost = np.array(problem["cost"], dtype=float)
    plan = ot.unbalanced.sinkhorn_knopp_unbalanced(
        a, b, cost, problem["epsilon"], problem["marginalPenalty"], numItermax=20000, stopThr=1e-14
    )
    return described(plan, cost)


def partial(problem):
    a, b = vectors(problem)
    cost = np.array(problem["cost"], dtype=float)
    return {"value": float(np.sum(ot.partial.partial_wasserstein(a, b, cost, m=problem["mass"], numItermax=10**6) * cost))}


def quadratic(problem):
    a, b = vectors(problem)
    cost = np.array(problem["cost"], dtype=float)
    plan = ot.smooth.smooth_ot_semi_dual(a, b, cost, problem["gamma"], reg_type="l2", stopThr=1e-14, numItermax=20000)
    return described(plan, cost)


METHODS = {f.__name__: f for f in (emd, line, sinkhorn, unbalanced, partial, quadratic)}

problems = json.load(sys.stdin)
answers = [METHODS[problem["method"]](problem) for problem in problems]
json.dump({"pot": ot.__version__, "answers": answers}, sys.stdout)
