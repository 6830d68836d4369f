# Alternating least squares as it is written with NumPy: a Gram matrix by BLAS for every line, all solved together.
# Arguments: folder with rows, columns (int32), values (float64), and the same of the held-out entries; m, n, rank,
# regularization, the held-out error to stop at, most iterations. Prints JSON.
import json
import sys
import time

import numpy as np
import scipy
from scipy.sparse import csr_matrix

folder, m, n, rank, regularization, target, most = sys.argv[1:8]
m, n, rank, most = int(m), int(n), int(rank), int(most)
regularization, target = float(regularization), float(target)


def read(name, dtype):
    return np.fromfile(f"{folder}/{name}", dtype=dtype)


rows, columns, values = read("rows", np.int32), read("columns", np.int32), read("values", np.float64)
held = read("heldRows", np.int32), read("heldColumns", np.int32), read("heldValues", np.float64)

start = time.perf_counter()
by_row = csr_matrix((values, (rows, columns)), shape=(m, n))
by_column = by_row.T.tocsr()


def half_step(lines, factor):
    count = lines.shape[0]
    gram = np.empty((count, rank, rank))
    right = np.empty((count, rank))
    start, index, data = lines.indptr, lines.indices, lines.data
    for i in range(count):
        part = factor[index[start[i] : start[i + 1]]]
        gram[i] = part.T @ part
        right[i] = part.T @ data[start[i] : start[i + 1]]
    gram += regularization * np.eye(rank)
    return np.linalg.solve(gram, right[:, :, None])[:, :, 0]


u = np.random.default_rng(0).standard_normal((m, rank))
history = []
for iteration in range(most):
    v = half_step(by_column, u)
    u = half_step(by_row, v)
    elapsed = time.perf_counter() - start
    # Not part of the time: neither is ours.
    rest = np.einsum("ij,ij->i", u[held[0]], v[held[1]]) - held[2]
    rmse = float(np.sqrt(np.mean(rest**2)))
    history.append(rmse)
    if rmse <= target:
        break
print(
    json.dumps(
        {
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "seconds": elapsed,
            "iterations": len(history),
            "rmse": history[-1],
        }
    )
)
