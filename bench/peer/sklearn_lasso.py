"""sklearn.linear_model.Lasso as a measured peer.

sklearn_lasso.py <folder> <kind> <m> <n> <alpha> <repetitions> reads little-endian b (float64) and, of kind "sparse", indptr, indices
(int32) and data (float64) of compressed rows, or, of kind "dense", dense (float64, row-major). It prints one JSON answer {"sklearn", "seconds":
[...], "value", "gap", "nonzeros", "iterations"}; value is ours: 1/2 |Xw - b|^2 + m alpha |w|_1, and gap is its duality gap.
"""

import json
import sys
import time

import numpy as np
import scipy.sparse
import sklearn
from sklearn.linear_model import Lasso

folder, kind, m, n, alpha, repetitions = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:7])
m, n = int(m), int(n)
read = lambda name, dtype: np.fromfile(f"{folder}/{name}", dtype=dtype)
if kind == "sparse":
    X = scipy.sparse.csr_matrix((read("data", "<f8"), read("indices", "<i4"), read("indptr", "<i4")), shape=(m, n)).tocsc()
else:
    X = np.asfortranarray(read("dense", "<f8").reshape(m, n))
b = read("b", "<f8")
model = Lasso(alpha=alpha, fit_intercept=False, tol=1e-8, max_iter=100000)
seconds = []
for _ in range(int(repetitions)):
    start = time.perf_counter()
    model.fit(X, b)
    seconds.append(time.perf_counter() - start)
w = model.coef_
r = b - X @ w
l1 = m * alpha
value = 0.5 * r @ r + l1 * np.abs(w).sum()
theta = r * min(1, l1 / np.abs(X.T @ r).max())
gap = value - 0.5 * (b @ b - (b - theta) @ (b - theta))
print(
    json.dumps(
        {
            "sklearn": sklearn.__version__,
            "seconds": seconds,
            "value": float(value),
            "gap": float(gap),
            "nonzeros": int(np.count_nonzero(w)),
            "iterations": int(np.max(model.n_iter_)),
        }
    )
)
