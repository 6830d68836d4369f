"""sklearn.linear_model.Lasso on sparse columns as a measured peer.

sklearn_lasso.py <folder with little-endian indptr, indices (int32), data, b (float64)> <m> <n> <alpha> <repetitions> prints
one JSON answer {"sklearn", "seconds": [...], "value", "nonzeros", "iterations"}; value is ours: 1/2 |Xw - b|^2 + m alpha |w|_1.
"""

import json
import sys
import time

import numpy as np
import scipy.sparse
import sklearn
from sklearn.linear_model import Lasso

folder, m, n, alpha, repetitions = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
read = lambda name, kind: np.fromfile(f"{folder}/{name}", dtype=kind)
X = scipy.sparse.csr_matrix((read("data", "<f8"), read("indices", "<i4"), read("indptr", "<i4")), shape=(m, n)).tocsc()
b = read("b", "<f8")
model = Lasso(alpha=alpha, fit_intercept=False, tol=1e-8, max_iter=100000)
seconds = []
for _ in range(repetitions):
    start = time.perf_counter()
    model.fit(X, b)
    seconds.append(time.perf_counter() - start)
w = model.coef_
value = 0.5 * np.sum((X @ w - b) ** 2) + m * alpha * np.abs(w).sum()
print(
    json.dumps(
        {
            "sklearn": sklearn.__version__,
            "seconds": seconds,
            "value": float(value),
            "nonzeros": int(np.count_nonzero(w)),
            "iterations": int(np.max(model.n_iter_)),
        }
    )
)
