"""Whether rendered manifests are what Kubernetes, Strimzi and the Prometheus operator take, and fit one another and Ouzel.

    manifests.py RENDERED CRDS

RENDERED is a folder with one file of manifests per overlay, CRDS one of custom resource definitions. `scripts/k8s` makes
both. Rules in CEL (`x-kubernetes-validations`) are not tried: they want an API server.
"""

import re
import sys
import tomllib
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.37"
ROOT = Path(__file__).resolve().parents[2]
# What the API server gives each of them, in a custom resource too.
OBJECT = {"apiVersion", "kind", "metadata"}


def closed(schema, top=False):
    """A custom resource's schema that takes no field it does not name, as `kubectl --validate=strict` would have it."""
    schema = dict(schema)
    if "properties" in schema:
        names = {name: closed(part) for name, part in schema["properties"].items()}
        schema["properties"] = ({name: {} for name in OBJECT} | names) if top else names
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            schema[inner] = closed(schema[inner])
    if schema.get("nullable") and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return schema


def custom_schemas(folder):
    schemas = {}
    for file in sorted(folder.glob("*.yaml")):
        for crd in yaml.safe_load_all(file.read_text()):
            spec = crd["spec"]
            for version in spec["versions"]:
                name = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                schemas[name] = closed(version["schema"]["openAPIV3Schema"], top=True)
    return schemas


def schema_faults(manifest, custom):
    own = custom.get((manifest["apiVersion"], manifest["kind"]))
    try:
        if own:
            jsonschema.Draft202012Validator(own).validate(manifest)
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except jsonschema.ValidationError as error:
        yield f"{'.'.join(map(str, error.absolute_path)) or 'top'}: {error.message[:300]}"
    except kubernetes_validate.SchemaNotFoundError as error:
        yield error.message


def workloads(manifests):
    return [m["spec"] for m in manifests if m["kind"] in ("Deployment", "StatefulSet")]


def pods(manifests):
    return [workload["template"] for workload in workloads(manifests)]


def reference_faults(manifests):
    """Names and labels that lead nowhere in the same overlay."""
    names = {(m["kind"], m["metadata"]["name"]) for m in manifests}
    labels = [pod["metadata"]["labels"] for pod in pods(manifests)]
    for manifest in manifests:
        kind, spec = manifest["kind"], manifest.get("spec", {})
        selector = None
        if kind == "Service":
            selector = spec["selector"]
        elif kind == "PodDisruptionBudget":
            selector = spec["selector"]["matchLabels"]
        elif kind == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            if (target["kind"], target["name"]) not in names:
                yield kind, f"scales {target['kind']} {target['name']}, which is not there"
        if selector is not None and not any(selector.items() <= pod.items() for pod in labels):
            yield kind, f"selects no pod: {selector}"
    for workload in workloads(manifests):
        pod = workload["template"]
        volumes = {v["name"] for v in pod["spec"]["volumes"]}
        volumes |= {v["metadata"]["name"] for v in workload.get("volumeClaimTemplates", [])}
        for container in pod["spec"]["containers"]:
            for mount in container["volumeMounts"]:
                if mount["name"] not in volumes:
                    yield "volumeMounts", f"no such volume: {mount['name']}"
            for source in container.get("envFrom", []):
                if ("ConfigMap", source["configMapRef"]["name"]) not in names:
                    yield "envFrom", f"no such map: {source['configMapRef']['name']}"


def settings(manifests):
    """Ouzel's variables, each with its value; none where it comes from a secret."""
    for manifest in manifests:
        if manifest["kind"] == "ConfigMap":
            yield from manifest["data"].items()
    for pod in pods(manifests):
        for container in pod["spec"]["containers"]:
            yield from ((env["name"], env.get("value")) for env in container.get("env", []))


def setting_faults(manifests, known):
    services = {m["metadata"]["name"] for m in manifests if m["kind"] == "Service"}
    for name, value in settings(manifests):
        if not name.startswith("OUZEL__"):
            continue
        section, key, *option = name.lower().removeprefix("ouzel__").split("__")
        default = known.get(section, {}).get(key)
        # The tables of free names (kafka.options, ingest.weights) take one name more than others.
        if default is None or len(option) != isinstance(default, dict):
            yield name, "config/default.toml has no such setting"
        if (section, key) == ("server", "primary_url"):
            host = re.fullmatch(r"http://([^.:/]+):5500", value)
            if not host or host[1] not in services:
                yield name, f"leads to no Service of the overlay: {value}"


def topic_faults(manifests, known):
    topics = {m["metadata"]["name"] for m in manifests if m["kind"] == "KafkaTopic"}
    kafka = known["kafka"]
    read = {kafka["events_topic"], kafka["requests_topic"]}
    wanted = read | {kafka["replies_topic"], kafka["models_topic"]}
    wanted |= {topic + kafka["dead_letter_suffix"] for topic in read}
    if topics and topics != wanted:
        yield "KafkaTopic", f"are {sorted(topics)}, should be {sorted(wanted)}"
    for user in (m for m in manifests if m["kind"] == "KafkaUser"):
        granted = {a["resource"]["name"] for a in user["spec"]["authorization"]["acls"] if a["resource"]["type"] == "topic"}
        if granted != wanted:
            yield "KafkaUser", f"may use {sorted(granted)}, should {sorted(wanted)}"


def main(rendered, crds):
    known = tomllib.loads((ROOT / "config/default.toml").read_text())
    custom = custom_schemas(Path(crds))
    files = sorted(Path(rendered).glob("*.yaml"))
    faults, count = [], 0
    for file in files:
        manifests = [m for m in yaml.safe_load_all(file.read_text()) if m]
        count += len(manifests)
        for manifest in manifests:
            where = f"{file.stem}: {manifest['kind']} {manifest['metadata']['name']}"
            faults += [f"{where}: {fault}" for fault in schema_faults(manifest, custom)]
        if faults:  # What follows takes the shapes for granted.
            continue
        for check in (reference_faults(manifests), setting_faults(manifests, known), topic_faults(manifests, known)):
            faults += [f"{file.stem}: {where}: {fault}" for where, fault in check]
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{count} manifests of {len(files)} overlays, {len(faults)} faults")
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
