# Alternating least squares as it is written with NumPy, all regressions of a half step solved together. Their Gram
# matrices by BLAS, either line by line, or for all lines at once from the dense matrix of what was observed.
# Arguments: lines or dense; a folder with rows, columns (int32), values (float64), and the same of the held-out entries;
# m, n, rank, regularization, the held-out error to stop at, most seconds. Prints JSON.
import json
import sys
import time

import numpy as np
import scipy
from scipy.sparse import csr_matrix

way, folder, m, n, rank, regularization, target, most = sys.argv[1:9]
m, n, rank = int(m), int(n), int(rank)
regularization, target, most = float(regularization), float(target), float(most)


def read(name, dtype):
    return np.fromfile(f"{folder}/{name}", dtype=dtype)


rows, columns, values = read("rows", np.int32), read("columns", np.int32), read("values", np.float64)
held = read("heldRows", np.int32), read("heldColumns", np.int32), read("heldValues", np.float64)


def solve(gram, right):
    return np.linalg.solve(gram + regularization * np.eye(rank), right[:, :, None])[:, :, 0]


def by_lines():
    by_row = csr_matrix((values, (rows, columns)), shape=(m, n))

    def half_step(lines, factor):
        count = lines.shape[0]
        gram = np.empty((count, rank, rank))
        right = np.empty((count, rank))
        start, index, data = lines.indptr, lines.indices, lines.data
        for i in range(count):
            part = factor[index[start[i] : start[i + 1]]]
            gram[i] = part.T @ part
            right[i] = part.T @ data[start[i] : start[i + 1]]
        return solve(gram, right)

    return half_step, by_row, by_row.T.tocsr()


def by_products():
    seen, data = np.zeros((m, n)), np.zeros((m, n))
    seen[rows, columns] = 1
    data[rows, columns] = values
    i, j = np.triu_indices(rank)

    def half_step(lines, factor):
        seen, data = lines
        upper = seen @ (factor[:, i] * factor[:, j])
        gram = np.empty((seen.shape[0], rank, rank))
        gram[:, i, j] = upper
        gram[:, j, i] = upper
        return solve(gram, data @ factor)

    return half_step, (seen, data), (seen.T, data.T)


start = time.perf_counter()
half_step, by_row, by_column = by_lines() if way == "lines" else by_products()
u = np.random.default_rng(0).standard_normal((m, rank))
history = []
measuring = elapsed = 0
while elapsed < most:
    v = half_step(by_column, u)
    u = half_step(by_row, v)
    elapsed = time.perf_counter() - start - measuring
    # Not part of the time: neither is ours.
    before = time.perf_counter()
    rest = np.einsum("ij,ij->i", u[held[0]], v[held[1]]) - held[2]
    rmse = float(np.sqrt(np.mean(rest**2)))
    history.append(rmse)
    measuring += time.perf_counter() - before
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
