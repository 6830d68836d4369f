"""sklearn.decomposition.MiniBatchDictionaryLearning as a measured peer.

sklearn_dictionary.py <folder with little-endian samples (float64, rows of n)> <n> <batch> <alpha> makes one pass, writes the
atoms (columns, float64) to <folder>/atoms and prints one JSON answer {"sklearn", "seconds"}.
"""

import json
import sys
import time

import numpy as np
import sklearn
from sklearn.decomposition import MiniBatchDictionaryLearning

folder, n, batch, alpha = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
samples = np.fromfile(f"{folder}/samples", dtype="<f8").reshape(-1, n)
model = MiniBatchDictionaryLearning(
    n_components=n,
    alpha=alpha,
    batch_size=batch,
    max_iter=1,
    fit_algorithm="cd",
    dict_init=np.linalg.qr(np.random.default_rng(1).normal(size=(n, n)))[0],
    shuffle=False,
    random_state=1,
    max_no_improvement=None,
    tol=0,
)
start = time.perf_counter()
model.fit(samples)
seconds = time.perf_counter() - start
np.ascontiguousarray(model.components_.T).astype("<f8").tofile(f"{folder}/atoms")
print(json.dumps({"sklearn": sklearn.__version__, "seconds": seconds}))
