"""EASE in numpy, 32-bit floats, on a file of pairs.

    ease.py PAIRS
"""

import json
import sys
import time

import numpy as np
import scipy.sparse

from memory import peak

LAMBDA = 500.0


def main():
    pairs = np.fromfile(sys.argv[1], "<u4").reshape(-1, 2)
    began = time.perf_counter()
    ones = np.ones(len(pairs), np.float32)
    taken = scipy.sparse.csr_matrix((ones, (pairs[:, 0], pairs[:, 1])))
    gram = (taken.T @ taken).toarray()
    gram[np.diag_indices_from(gram)] += LAMBDA
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    seconds = time.perf_counter() - began
    squares = float(np.square(weights, dtype=np.float64).sum())
    print(json.dumps({"name": "numpy", "seconds": seconds, "sum of squares": squares, "peak MB": peak()}))


if __name__ == "__main__":
    main()
