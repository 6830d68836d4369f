"""PyTorch's optimizers as measured peers.

Reads a JSON request from the command line: {"dtype", "leaves": [n, ...], "steps", "repetitions"}. Writes {"adamW": ms per step, "adamWForeach",
"momentum"} on the threads that OMP_NUM_THREADS names.
"""

import json
import os
import sys
import time

import torch

request = json.loads(sys.argv[1])
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
dtype = {"float32": torch.float32, "float64": torch.float64}[request["dtype"]]


def measure(make):
    params = [torch.ones(n, dtype=dtype, requires_grad=True) for n in request["leaves"]]
    for p in params:
        p.grad = torch.full_like(p, 0.5)
    optimizer = make(params)
    for _ in range(2):
        optimizer.step()
    times = []
    for _ in range(request["repetitions"]):
        start = time.perf_counter()
        for _ in range(request["steps"]):
            optimizer.step()
        times.append(1000 * (time.perf_counter() - start) / request["steps"])
    return sorted(times)[len(times) // 2]


O = torch.optim
print(json.dumps({
    "adamW": measure(lambda p: O.AdamW(p, lr=1e-3, foreach=False)),
    "adamWForeach": measure(lambda p: O.AdamW(p, lr=1e-3, foreach=True)),
    "momentum": measure(lambda p: O.SGD(p, lr=1e-3, momentum=0.9, foreach=False)),
}))
