"""NumPy's and PyTorch's Fourier transforms as measured peers.

Reads a JSON request from the command line: {"dtype", "shapes": [[...]], "kinds": ["rfft" | "fft"], "repetitions"}, one kind for each
shape. Writes {"numpy": version, "times": [ms], "torch": [ms], "sums": [[first modes]]}: the medians of transforms over all axes of
x_i = sin(12.9898 i), or x_i + i cos(78.233 i) for fft, and three modes to compare. NumPy computes in float64 always.
"""

import json
import os
import statistics
import sys
import time

import numpy as np
import torch

request = json.loads(sys.argv[1])
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
dtype = {"float32": np.float32, "float64": np.float64}[request["dtype"]]


def measure(call):
    call()
    start = time.perf_counter()
    call()
    once = max(time.perf_counter() - start, 1e-7)
    count = max(1, int(0.02 / once))
    times = []
    for _ in range(request["repetitions"]):
        start = time.perf_counter()
        for _ in range(count):
            call()
        times.append((time.perf_counter() - start) / count * 1e3)
    return statistics.median(times)


answer = {"numpy": np.__version__, "torchVersion": torch.__version__, "times": [], "torch": [], "modes": []}
for shape, kind in zip(request["shapes"], request["kinds"]):
    index = np.arange(int(np.prod(shape)), dtype=np.float64)
    x = np.sin(12.9898 * index).reshape(shape).astype(dtype)
    if kind == "fft":
        x = x + 1j * np.cos(78.233 * index).reshape(shape).astype(dtype)
    transform = np.fft.rfftn if kind == "rfft" else np.fft.fftn
    answer["times"].append(measure(lambda: transform(x)))
    tensor = torch.tensor(x)
    other = torch.fft.rfftn if kind == "rfft" else torch.fft.fftn
    answer["torch"].append(measure(lambda: other(tensor)))
    modes = transform(x).ravel()
    places = [0, 1, modes.size - 1]
    answer["modes"].append([[float(modes[k].real), float(modes[k].imag)] for k in places])
print(json.dumps(answer))
