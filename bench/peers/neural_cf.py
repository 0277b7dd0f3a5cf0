"""The original's network in PyTorch on the examples of `bench/data.py purchases`.

    neural_cf.py TRAIN TEST BATCH

Two embeddings of 50, dropout 0.2, dense 50, relu, dropout 0.2, dense 1; mean squared logarithmic error; the quicker of
fused Adam and SparseAdam for the tables, on two threads. A line for each optimiser; the first is the quicker.
"""

import json
import statistics
import sys
import time

import numpy as np
import torch
from torch import nn

EXAMPLE = np.dtype([("user", "<u4"), ("item", "<u4"), ("target", "<f4")])
EPOCHS, RUNS = 3, 5
LEARNING_RATE = 0.001


class Network(nn.Module):
    def __init__(self, users, items, bias, sparse):
        super().__init__()
        self.users = nn.Embedding(users, 50, sparse=sparse)
        self.items = nn.Embedding(items, 50, sparse=sparse)
        for table in (self.users, self.items):
            nn.init.uniform_(table.weight, -0.05, 0.05)
        self.hidden, self.output, self.dropout = nn.Linear(100, 50), nn.Linear(50, 1), nn.Dropout(0.2)
        for layer in (self.hidden, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        # The clamped loss has no slope below 0: a net that begins there stays there.
        nn.init.constant_(self.output.bias, bias)

    def forward(self, user, item):
        joined = self.dropout(torch.cat([self.users(user), self.items(item)], 1))
        return self.output(self.dropout(torch.relu(self.hidden(joined)))).squeeze(1)


def loss_of(predicted, target):
    return torch.square(torch.log1p(predicted.clamp(min=0)) - torch.log1p(target)).mean()


def read(path):
    examples = np.fromfile(path, EXAMPLE)
    columns = [torch.from_numpy(examples[name].astype(kind)) for name, kind in [("user", "i8"), ("item", "i8")]]
    return *columns, torch.from_numpy(examples["target"].copy())


def figures(train, test, batch, sparse):
    runs = [fit(train, test, batch, sparse) for _ in range(RUNS)]
    name = f"pytorch, {'SparseAdam' if sparse else 'fused Adam'}, batch {batch}"
    return {"name": name, "seconds": statistics.median(seconds for seconds, _ in runs), "held-out loss": runs[-1][1]}


def fit(train, test, batch, sparse):
    torch.manual_seed(42)
    user, item, target = train
    sizes = [int(max(a.max(), b.max())) + 1 for a, b in zip(train[:2], test[:2])]
    net = Network(*sizes, float(target.mean()), sparse)
    dense = [*net.hidden.parameters(), *net.output.parameters()]
    tables = [net.users.weight, net.items.weight]
    if sparse:
        optimisers = [torch.optim.SparseAdam(tables, lr=LEARNING_RATE, eps=1e-7)]
        optimisers.append(torch.optim.Adam(dense, lr=LEARNING_RATE, eps=1e-7, fused=True))
    else:
        optimisers = [torch.optim.Adam([*tables, *dense], lr=LEARNING_RATE, eps=1e-7, fused=True)]
    began = time.perf_counter()
    for _ in range(EPOCHS):
        for part in torch.randperm(len(target)).split(batch):
            for optimiser in optimisers:
                optimiser.zero_grad(set_to_none=True)
            loss_of(net(user[part], item[part]), target[part]).backward()
            for optimiser in optimisers:
                optimiser.step()
    seconds = (time.perf_counter() - began) / EPOCHS
    net.eval()
    with torch.no_grad():
        return seconds, float(loss_of(net(*test[:2]), test[2]))


def main():
    torch.set_num_threads(2)
    train, test, batch = read(sys.argv[1]), read(sys.argv[2]), int(sys.argv[3])
    runs = [figures(train, test, batch, sparse) for sparse in (False, True)]
    for run in sorted(runs, key=lambda run: run["seconds"]):
        print(json.dumps(run))


if __name__ == "__main__":
    main()
