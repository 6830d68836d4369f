# Mazumder, Hastie, Tibshirani 2010, "Spectral regularization algorithms for learning large incomplete matrices":
# soft-impute with warm starts along a path of thresholds, the threshold chosen on a tenth of the observed entries and the
# path run once more on all of them.
#   soft_impute.py digits FILE: writes scikit-learn's digits, 1797 × 64 float64 in [0, 1].
#   soft_impute.py complete FOLDER m n: reads matrix (float64), seen (uint8: 0 missing, 1 observed, 2 observed and used
#   for the choice); prints JSON.
import json
import sys
import time

import numpy as np


def digits(file):
    from sklearn.datasets import load_digits

    (load_digits().data / 16.0).astype(np.float64).tofile(file)


def shrink(x, threshold):
    """Soft-thresholds the singular values, by the eigenvectors of the Gram matrix of the shorter side."""
    values, vectors = np.linalg.eigh(x.T @ x)
    sigma = np.sqrt(np.maximum(values, 0))
    keep = sigma > threshold
    factors = (sigma[keep] - threshold) / sigma[keep]
    return (x @ vectors[:, keep]) * factors @ vectors[:, keep].T, int(keep.sum())


def path(x, seen, thresholds, measure):
    z = np.zeros_like(x)
    found = []
    for threshold in thresholds:
        for _ in range(60):
            filled = np.where(seen, x, z)
            after, rank = shrink(filled, threshold)
            change = np.linalg.norm(after - z) / max(np.linalg.norm(after), 1e-12)
            z = after
            if change < 1e-3:
                break
        found.append((measure(z), rank))
    return z, found


def complete(folder, m, n):
    matrix = np.fromfile(f"{folder}/matrix").reshape(m, n)
    code = np.fromfile(f"{folder}/seen", dtype=np.uint8).reshape(m, n)
    start = time.perf_counter()
    means = lambda seen: (matrix * seen).sum(0) / np.maximum(seen.sum(0), 1)
    fit, held, seen = code == 1, code == 2, code > 0
    centred = matrix - means(fit)
    largest = np.sqrt(np.linalg.eigvalsh((centred * fit).T @ (centred * fit))[-1])
    thresholds = largest * np.geomspace(0.5, 0.005, 16)
    rmse = lambda part: lambda z: float(np.sqrt(np.mean((z - centred)[part] ** 2)))
    _, found = path(centred, fit, thresholds, rmse(held))
    best = int(np.argmin([error for error, _ in found]))
    centred = matrix - means(seen)
    z, last = path(centred, seen, thresholds[: best + 1], rmse(~seen))
    answer = {"rmse": last[-1][0], "rank": last[-1][1], "seconds": time.perf_counter() - start}
    print(json.dumps({**answer, "numpy": np.__version__}))


if sys.argv[1] == "digits":
    digits(sys.argv[2])
else:
    complete(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
