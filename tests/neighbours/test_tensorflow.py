"""TensorFlow Serving's REST face, its answers read by TensorFlow Serving's own messages: its server makes them from these."""

import requests
from google.protobuf import json_format
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from conftest import shop, until


def test_status_metadata_and_both_forms_of_predict(start):
    service = start("")
    service.call("/v1/events", [{"user": u, "item": i, "timestamp": t} for u, i, t in shop()])
    live = until("a version", lambda: service.call("/state")["live"])["version"]
    base = f"{service.url}/v1/models/recommender"

    for url in (base, f"{base}/versions/{live}"):
        said = json_format.Parse(requests.get(url, timeout=60).text, get_model_status_pb2.GetModelStatusResponse())
        (status,) = said.model_version_status
        available = get_model_status_pb2.ModelVersionStatus.State.AVAILABLE
        assert (status.version, status.state, status.status.error_code) == (live, available, 0)

    metadata = requests.get(f"{base}/metadata", timeout=60).json()
    spec = json_format.ParseDict(metadata["model_spec"], model_pb2.ModelSpec())
    assert (spec.name, spec.version.value) == ("recommender", live)
    signatures = json_format.ParseDict(metadata["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap())
    signature = signatures.signature_def["serving_default"]
    assert signature.method_name == "tensorflow/serving/predict"
    assert {name: tensor.dtype for name, tensor in signature.inputs.items()} == {
        "products": types_pb2.DT_INT64, "users": types_pb2.DT_INT64,
    }
    assert [dim.size for dim in signature.outputs["recommendations"].tensor_shape.dim] == [-1, 1]

    products, users = ["item1", "item20"], ["user2", "user2"]
    columns = {"signature_name": "", "inputs": {"products": [[p] for p in products], "users": [[u] for u in users]}}
    rows = {"instances": [{"products": [p], "users": [u]} for p, u in zip(products, users)]}
    asked = requests.post(f"{base}:predict", json=columns, timeout=60).json()["outputs"]
    assert asked["model-version"] == [str(live)]
    predicted = requests.post(f"{base}/versions/{live}:predict", json=rows, timeout=60).json()["predictions"]
    assert predicted == asked["recommendations"] and predicted[0][0] > predicted[1][0]

    wrong = requests.post(f"{base}:predict", json={"instances": "?"}, timeout=60)
    assert wrong.status_code == 400 and wrong.json()["error"].startswith("instances")
