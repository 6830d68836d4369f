"""PyTorch as a measured peer of a convolutional net's training step.

Reads a JSON request from the command line: {"dtype", "batch", "side", "channels", "classes", "steps", "repetitions"}. Writes {"step": ms,
"losses": first losses}. Weights and data by the same formula as bench/tensor/conv-net.ts.
"""

import json
import os
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

request = json.loads(sys.argv[1])
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
dtype = {"float32": torch.float32, "float64": torch.float64}[request["dtype"]]


def numbers(shape, scale, shift):
    index = np.arange(np.prod(shape), dtype=np.float64)
    return torch.tensor((scale * np.sin(index * 12.9898 + shift)).reshape(shape), dtype=dtype)


batch, side, channels, classes = (request[name] for name in ("batch", "side", "channels", "classes"))
inner = channels[2] * (side // 4) ** 2
params = [
    numbers([channels[1], channels[0], 3, 3], (2 / (9 * channels[0])) ** 0.5, 0),
    torch.zeros(channels[1], dtype=dtype),
    numbers([channels[2], channels[1], 3, 3], (2 / (9 * channels[1])) ** 0.5, 1),
    torch.zeros(channels[2], dtype=dtype),
    numbers([inner, classes], (2 / inner) ** 0.5, 2),
    torch.zeros(classes, dtype=dtype),
]
for leaf in params:
    leaf.requires_grad_(True)
w1, b1, w2, b2, w3, b3 = params
x = numbers([batch, channels[0], side, side], 1, 0.5)
labels = torch.tensor([i * 7 % classes for i in range(batch)])
optimizer = torch.optim.SGD(params, lr=0.02)


def step():
    optimizer.zero_grad()
    first = F.max_pool2d(torch.relu(F.conv2d(x, w1, b1, padding=1)), 2)
    second = F.max_pool2d(torch.relu(F.conv2d(first, w2, b2, padding=1)), 2)
    loss = F.cross_entropy(torch.addmm(b3, second.reshape(batch, -1), w3), labels)
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
print(json.dumps({"step": sorted(times)[len(times) // 2], "losses": losses}))
