"""`implicit`'s alternating least squares on a file of pairs.

    ials.py PAIRS

The objective is that of Hu, Koren and Volinsky (2008): sum over pairs of C (1 - u.i)^2, over all others of (u.i)^2, plus
lambda times the squared lengths.
"""

import json
import os
import statistics
import sys

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402

from memory import peak  # noqa: E402

FACTORS, CONFIDENCE, REGULARIZATION, ITERATIONS, THREADS = 64, 11.0, 5.0, 5, 2


def objective(pairs, users, items):
    total = float((users.T.astype(np.float64) @ users * (items.T.astype(np.float64) @ items)).sum())
    for part in np.array_split(pairs, max(1, len(pairs) // 1_000_000)):
        scores = np.einsum("ij,ij->i", users[part[:, 0]], items[part[:, 1]], dtype=np.float64)
        total += float((CONFIDENCE * (1 - scores) ** 2 - scores**2).sum())
    lengths = sum(float((table.astype(np.float64) ** 2).sum()) for table in (users, items))
    return total + REGULARIZATION * lengths


def main():
    import implicit.cpu.als
    import scipy.sparse

    pairs = np.fromfile(sys.argv[1], "<u4").reshape(-1, 2)
    confidences = np.full(len(pairs), CONFIDENCE, np.float32)
    matrix = scipy.sparse.csr_matrix((confidences, (pairs[:, 0], pairs[:, 1])))
    model = implicit.cpu.als.AlternatingLeastSquares(
        factors=FACTORS, regularization=REGULARIZATION, alpha=1.0, dtype=np.float32, use_cg=True, iterations=ITERATIONS,
        num_threads=THREADS, random_state=42,
    )
    times = []
    model.fit(matrix, show_progress=False, callback=lambda iteration, elapsed, loss: times.append(elapsed))
    reached = objective(pairs, model.user_factors, model.item_factors)
    figures = {"seconds": sum(times), "per iteration": statistics.median(times), "objective": reached, "peak MB": peak()}
    print(json.dumps({"name": "implicit", **figures}))


if __name__ == "__main__":
    main()
