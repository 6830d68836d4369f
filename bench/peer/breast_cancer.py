"""The Wisconsin breast cancer data of scikit-learn as JSON: {"x": 569 x 30 numbers row by row, "labels": 0 or 1}."""

import json

from sklearn.datasets import load_breast_cancer

data = load_breast_cancer()
print(json.dumps({"x": data.data.ravel().tolist(), "labels": data.target.tolist()}))
