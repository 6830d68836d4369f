"""NumPy's Philox generator as a measured peer.

numpy_fill.py <numbers> <repetitions>: prints {"numpy": version, "uniform": milliseconds, "normal": milliseconds},
medians of fills of one array after a warm-up.
"""

import json
import statistics
import sys
import time

import numpy as np


def median_milliseconds(fill, repetitions):
    fill()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        fill()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


numbers, repetitions = int(sys.argv[1]), int(sys.argv[2])
out = np.empty(numbers)
rng = np.random.Generator(np.random.Philox(1))
print(
    json.dumps(
        {
            "numpy": np.__version__,
            "uniform": median_milliseconds(lambda: rng.random(out=out), repetitions),
            "normal": median_milliseconds(lambda: rng.standard_normal(out=out), repetitions),
        }
    )
)
