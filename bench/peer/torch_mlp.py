"""PyTorch as a measured peer of tensor steps.

Reads a JSON request from the command line: {"dtype", "sizes", "batch", "steps", "repetitions", "matmul": [n, ...]}. Writes {"step": ms,
"loss": first losses, "matmul": {n: ms}}. Weights and data by the same formula as bench/tensor/mlp.ts.
"""

import json
import os
import sys
import time

import numpy as np
import torch

request = json.loads(sys.argv[1])
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
dtype = {"float32": torch.float32, "float64": torch.float64}[request["dtype"]]


def numbers(count, scale, shift):
    index = np.arange(count, dtype=np.float64)
    return scale * np.sin(index * 12.9898 + shift)


sizes, batch = request["sizes"], request["batch"]
params = []
for layer, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
    weight = numbers(rows * columns, (2 / rows) ** 0.5, layer).reshape(rows, columns)
    params.append(torch.tensor(weight, dtype=dtype, requires_grad=True))
    params.append(torch.zeros(columns, dtype=dtype, requires_grad=True))
x = torch.tensor(numbers(batch * sizes[0], 1, 0.5).reshape(batch, sizes[0]), dtype=dtype)
labels = torch.tensor([i * 7 % sizes[-1] for i in range(batch)])
optimizer = torch.optim.SGD(params, lr=0.1)


def step():
    optimizer.zero_grad()
    y = x
    for layer in range(0, len(params), 2):
        y = torch.addmm(params[layer + 1], y, params[layer])
        if layer + 2 < len(params):
            y = torch.relu(y)
    loss = torch.nn.functional.cross_entropy(y, labels)
    loss.backward()
    optimizer.step()
    return loss.item()


losses = [step() for _ in range(5)]
times = []
for _ in range(request["repetitions"]):
    start = time.perf_counter()
    for _ in range(request["steps"]):
        step()
    times.append(1000 * (time.perf_counter() - start) / request["steps"])

products = {}
for n in request["matmul"]:
    a = torch.tensor(numbers(n * n, 1, 0).reshape(n, n), dtype=dtype)
    a @ a
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        seconds.append(1000 * (time.perf_counter() - start))
    products[n] = min(seconds)

print(json.dumps({"step": sorted(times)[len(times) // 2], "losses": losses, "matmul": products}))
