"""The original's network behind FastAPI and ONNX Runtime: what one writes in Python to serve a trained network.

    serving_fastapi.py [--port P] [--workers N] [--users U] [--items I] [--embedding E] [--hidden H] [--seed S]

Two embeddings, dense, relu, dense 1, as ONNX; drawn weights, since what a score costs does not depend on them. Answers
`POST /score` with the question and the answer of the service's `POST /v1/score`, so that one load script asks both; ids
are the rows of the tables. uvicorn with uvloop and httptools, as many processes as `--workers`. Prints a line of JSON
with its port once every worker answers.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import onnxruntime
import uvicorn
from fastapi import FastAPI, HTTPException
from onnx import TensorProto, helper, numpy_helper
from pydantic import BaseModel, Field
from uvicorn.supervisors import Multiprocess

# The folder of the network, where the workers say that they answer.
FOLDER = "SERVING_FOLDER"
PROBES, TOLERANCE = 30, 1e-5


class Question(BaseModel):
    user: Annotated[int, Field(ge=0)]
    products: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=10_000)]


class Prediction(BaseModel):
    product: str
    prediction: float


class Answer(BaseModel):
    model: str
    execution: float
    products: list[Prediction]


def weights(users, items, embedding, hidden, seed):
    rng = np.random.default_rng(seed)

    def xavier(rows, columns):
        bound = np.sqrt(6 / (rows + columns))
        return rng.uniform(-bound, bound, (rows, columns)).astype(np.float32)

    return {
        "users": rng.uniform(-0.05, 0.05, (users, embedding)).astype(np.float32),
        "items": rng.uniform(-0.05, 0.05, (items, embedding)).astype(np.float32),
        "dense": xavier(2 * embedding, hidden),
        "dense_bias": rng.uniform(-0.05, 0.05, hidden).astype(np.float32),
        "output": xavier(hidden, 1),
        "output_bias": np.full(1, 0.5, np.float32),
    }


def network(tensors):
    nodes = [
        helper.make_node("Gather", ["users", "user"], ["of_user"]),
        helper.make_node("Gather", ["items", "item"], ["of_item"]),
        helper.make_node("Concat", ["of_user", "of_item"], ["joined"], axis=1),
        helper.make_node("Gemm", ["joined", "dense", "dense_bias"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "output", "output_bias"], ["score"]),
    ]
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["pairs"]) for name in ("user", "item")]
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["pairs", 1])
    constants = [numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()]
    graph = helper.make_graph(nodes, "neural-cf", ids, [score], constants)
    # Named, since the newest ONNX may be newer than what ONNX Runtime reads.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def session(path):
    options = onnxruntime.SessionOptions()
    # A question is some microseconds of work: handing it to threads costs more.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def score(running, user, items):
    item = np.array(items, np.int64)
    return running.run(["score"], {"user": np.full(len(item), user, np.int64), "item": item})[0][:, 0]


def check(tensors, path, seed):
    """Whether the file scores as numpy does."""
    rng = np.random.default_rng(seed)
    user, items = int(rng.integers(len(tensors["users"]))), rng.integers(len(tensors["items"]), size=PROBES)
    joined = np.concatenate([np.tile(tensors["users"][user], (PROBES, 1)), tensors["items"][items]], 1)
    active = np.maximum(joined @ tensors["dense"] + tensors["dense_bias"], 0)
    expected = (active @ tensors["output"] + tensors["output_bias"])[:, 0]
    difference = float(np.abs(score(session(path), user, items) - expected).max())
    if not difference <= TOLERANCE:
        raise SystemExit(f"the network's scores are off numpy's by {difference}")


def application():
    """The worker's application, of the network in the folder that the environment names."""
    folder = Path(os.environ[FOLDER])
    running = session(folder / "network.onnx")
    sizes = json.loads((folder / "sizes").read_text())

    @contextlib.asynccontextmanager
    async def lifespan(_app):
        (folder / f"worker-{os.getpid()}").touch()
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    async def health():
        return {"ready": True}

    # On the loop, not in a thread: the work is shorter than the way there.
    @app.post("/score")
    async def ask(question: Question) -> Answer:
        began = time.perf_counter()
        if question.user >= sizes["users"] or max(question.products) >= sizes["items"]:
            raise HTTPException(404, "no such user or product")
        scores = score(running, question.user, question.products).tolist()
        products = [Prediction(product=str(item), prediction=value) for item, value in zip(question.products, scores)]
        return Answer(model="neural-cf", execution=(time.perf_counter() - began) * 1000, products=products)

    return app


def announce(folder, workers, port):
    while len(list(folder.glob("worker-*"))) < workers:
        time.sleep(0.05)
    print(json.dumps({"name": f"fastapi and onnxruntime, workers {workers}", "port": port}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    sizes = [("port", 0), ("workers", 1), ("users", 10_000), ("items", 1_000), ("embedding", 50), ("hidden", 50)]
    for name, default in [*sizes, ("seed", 42)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, socket.create_server(("127.0.0.1", args.port), backlog=2048) as bound:
        folder = Path(place)
        tensors = weights(args.users, args.items, args.embedding, args.hidden, args.seed)
        onnx.save(network(tensors), folder / "network.onnx")
        check(tensors, folder / "network.onnx", args.seed)
        (folder / "sizes").write_text(json.dumps({"users": args.users, "items": args.items}))
        os.environ[FOLDER] = place
        config = uvicorn.Config(
            f"{Path(__file__).stem}:application", factory=True, workers=args.workers,
            loop="uvloop", http="httptools", access_log=False, log_level="warning",
        )  # fmt: skip
        threading.Thread(target=announce, args=(folder, args.workers, bound.getsockname()[1]), daemon=True).start()
        # uvicorn raises the signal anew once it has stopped: the folder is to go then.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        if args.workers == 1:
            uvicorn.Server(config).run(sockets=[bound])
        else:
            Multiprocess(config, sockets=[bound]).run()


if __name__ == "__main__":
    main()
