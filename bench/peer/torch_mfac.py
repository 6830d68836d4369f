"""The dynamic algorithm of M-FAC (arXiv 2107.03356, section 3.2) in PyTorch on the CPU, from the steps of the paper, as a measured peer.

Reads a JSON request from the command line: {"m", "d", "damping", "repetitions", "check"}. Writes {"setup": s, "step": s, "ihvp": s, "stream": s,
"residual": |F u - g| / |g|}: the set-up from a full window, a step (replace a row, then the product with its gradient), a product with any vector, and
one reading of the gradients.
"""

import json
import os
import statistics
import sys
import time

import torch

request = json.loads(sys.argv[1])
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
torch.manual_seed(1)
m, d, damping = request["m"], request["d"], request["damping"]


class Dynamic:
    def __init__(self, rows):
        self.rows = rows
        self.gram = rows @ rows.T
        self.coefficients = torch.zeros(m, m)
        self.factor(0)

    def factor(self, slot):
        # LU without pivots of S / damping + m I: U - m I holds g_i F_{i-1}^-1 g_j, its diagonal with m the divisors q.
        upper = self.gram / damping + m * torch.eye(m)
        for i in range(m - 1):
            upper[i + 1 :, i:] -= torch.outer(upper[i + 1 :, i] / upper[i, i], upper[i, i:])
        self.q = upper.diagonal().clone()
        self.scaled = (upper - torch.diag(self.q)).triu() / self.q[:, None]
        b = self.coefficients
        for i in range(slot, m):
            b[i, i:] = 0
            b[i, :i] = -(self.scaled[:i, i] @ b[:i, :i])
            b[i, i] = 1 / damping

    def combine(self, p):
        # c_i = p_i / damping - sum_{j<i} (D_ji / q_j) c_j
        lower = self.scaled.T + torch.eye(m)
        return torch.linalg.solve_triangular(lower, (p / damping)[:, None], upper=False)[:, 0]

    def product(self, x, p=None):
        p = self.rows @ x if p is None else p
        w = (self.combine(p) / self.q) @ self.coefficients
        return x / damping - self.rows.T @ w

    def step(self, slot, g):
        self.rows[slot] = g
        p = self.rows @ g
        self.gram[slot] = p
        self.gram[:, slot] = p
        self.factor(slot)
        return self.product(g, p)


def timed(task):
    start = time.perf_counter()
    result = task()
    return time.perf_counter() - start, result


rows = torch.randn(m, d)
setup, dynamic = timed(lambda: Dynamic(rows))
x = torch.randn(d)
steps, products, streams = [], [], []
for k in range(request["repetitions"] + 1):
    g = torch.randn(d)
    took, u = timed(lambda: dynamic.step((k * m // 4 + m // 8) % m, g))
    steps.append(took)
    products.append(timed(lambda: dynamic.product(x))[0])
    streams.append(timed(lambda: rows.sum())[0])
image = damping * u.double() + (rows.T @ (rows @ u)).double() / m
answer = {"setup": setup, "residual": float((image - g).norm() / g.norm())}
for name, values in (("step", steps), ("ihvp", products), ("stream", streams)):
    answer[name] = statistics.median(values[1:])
print(json.dumps(answer))
