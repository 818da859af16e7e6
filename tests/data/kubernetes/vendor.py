"""Writes schemas.json: strict JSON schemas of the kinds that deploy/kubernetes has, from published packages.

    python tests/data/kubernetes/vendor.py      # pip and npm must reach their registries

Kubernetes' own kinds: PyPI `kubernetes-validate` (Apache-2.0), of Kubernetes' OpenAPI document. KEDA's,
Gateway API's and the Prometheus operator's: npm `@kubernetes-models/*` (MIT), types made from those projects'
Go types, through `ts-json-schema-generator`. KServe's: PyPI `kserve` (Apache-2.0), whose classes list their
fields. Descriptions are left out, and every object refuses a field that it does not know.
"""

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

KUBERNETES, VERSION = "kubernetes-validate==1.37.0", "v1.34.0"
KSERVE = "kserve==0.21.0"
NPM = (
    "@kubernetes-models/keda@2.0.0",
    "@kubernetes-models/gateway-api@2.0.0",
    "@kubernetes-models/prometheus-operator@6.0.0",
    "ts-json-schema-generator@2.9.0",
)
OURS = {
    "v1": ["ConfigMap", "Namespace", "PersistentVolumeClaim", "Secret", "Service", "ServiceAccount"],
    "apps/v1": ["Deployment", "StatefulSet"],
    "autoscaling/v2": ["HorizontalPodAutoscaler"],
    "batch/v1": ["Job"],
    "networking.k8s.io/v1": ["Ingress", "NetworkPolicy"],
    "policy/v1": ["PodDisruptionBudget"],
}
TYPED = {
    "keda.sh/v1alpha1/ScaledObject": "keda",
    "gateway.networking.k8s.io/v1/HTTPRoute": "gateway-api",
    "monitoring.coreos.com/v1/ServiceMonitor": "prometheus-operator",
    "monitoring.coreos.com/v1/PrometheusRule": "prometheus-operator",
}
KSERVE_KINDS = {
    "serving.kserve.io/v1beta1/InferenceService": "V1beta1InferenceService",
    "serving.kserve.io/v1alpha1/ServingRuntime": "V1alpha1ServingRuntime",
}


def kubernetes(folder: Path) -> tuple[dict, dict]:
    """Definitions by name, and the name of each of our kinds."""
    with zipfile.ZipFile(wheel(KUBERNETES, folder)) as package:
        path = f"kubernetes_validate/kubernetes-json-schema/{VERSION}-local-strict/_definitions.json"
        definitions = json.loads(package.read(path))["$defs"]
    kinds = {}
    for name, schema in definitions.items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            version = "/".join(filter(None, (kind["group"], kind["version"])))
            if kind["kind"] in OURS.get(version, []):
                kinds[f"{version}/{kind['kind']}"] = name
    return definitions, kinds


def typed(folder: Path) -> tuple[dict, dict]:
    """The same of what TypeScript describes."""
    run("npm", "init", "-y", cwd=folder)
    run("npm", "install", "--silent", "--no-audit", "--no-fund", *NPM, cwd=folder)
    options = {"module": "nodenext", "moduleResolution": "nodenext", "strict": True, "skipLibCheck": True}
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options}))
    definitions, kinds = {}, {}
    for kind, package in TYPED.items():
        interface = f"I{kind.split('/')[-1]}"
        path = f"node_modules/@kubernetes-models/{package}/{kind}.d.ts"
        command = (
            "node_modules/.bin/ts-json-schema-generator",
            "--tsconfig",
            "tsconfig.json",
            "--no-type-check",
        )
        text = run(*command, "--path", path, "--type", interface, cwd=folder)
        # Two packages may have types of one name.
        found = json.loads(text.replace('"#/definitions/', f'"#/$defs/{package}.'))["definitions"]
        definitions |= {f"{package}.{name}": schema for name, schema in found.items()}
        kinds[kind] = f"{package}.{interface}"
    return definitions, kinds


def kserve(folder: Path) -> tuple[dict, dict]:
    """The same of what KServe's Python classes list; core types are Kubernetes' own."""
    with zipfile.ZipFile(wheel(KSERVE, folder)) as package:
        package.extractall(folder / "kserve-wheel")
    source = folder / "kserve-wheel" / "kserve" / "models"
    definitions = {}

    def schema(kind: str) -> dict:
        if match := re.fullmatch(r"list\[(.*)\]", kind):
            return {"type": "array", "items": schema(match[1])}
        if match := re.fullmatch(r"dict\(str, (.*)\)", kind):
            return {"type": "object", "additionalProperties": schema(match[1])}
        plain = {"str": "string", "bool": "boolean", "int": "integer", "float": "number"}
        if kind in plain:
            return {"type": plain[kind]}
        if kind in ("object", "datetime"):
            return {}
        path = source / f"{re.sub(r'(?<!^)(?=[A-Z])', '_', kind).lower()}.py"
        if not path.exists() and not re.match(r"V1[A-Z]", kind):
            return {}  # the package leaves a few of its own types out
        if not path.exists():
            core = {"V1ObjectMeta": "apimachinery.pkg.apis.meta.v1.ObjectMeta"}
            return {"$ref": f"#/$defs/io.k8s.{core.get(kind, f'api.core.v1.{kind[2:]}')}"}
        if kind not in definitions:
            definitions[kind] = {}  # it may hold itself
            space: dict = {}
            lists = re.findall(r"(?:openapi_types|attribute_map) = \{.*?\}", path.read_text(), re.DOTALL)
            for text in lists:
                exec(text, space)
            definitions[kind] = {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    space["attribute_map"][name]: schema(type_)
                    for name, type_ in space["openapi_types"].items()
                },
            }
        return {"$ref": f"#/$defs/{kind}"}

    for kind in KSERVE_KINDS.values():
        schema(kind)
    return definitions, dict(KSERVE_KINDS)


def wheel(requirement: str, folder: Path) -> Path:
    run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), requirement)
    name = requirement.split("==")[0].replace("-", "_")
    return next(folder.glob(f"{name}-*.whl"))


def run(*command: str, cwd: Path | None = None) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def bare(schema):
    """Without what only people read."""
    if isinstance(schema, list):
        return [bare(one) for one in schema]
    if isinstance(schema, dict):
        drop = ("description", "$comment", "default")
        return {
            key: bare(value)
            for key, value in schema.items()
            if not (key in drop and isinstance(value, str)) and not key.startswith("x-kubernetes")
        }
    return schema


def reachable(definitions: dict, names: list[str]) -> dict:
    kept, open_ = {}, list(names)
    while open_:
        name = open_.pop()
        if name not in kept:
            if name not in definitions:  # KServe's package knows a newer Kubernetes
                print("left open:", name)
            kept[name] = bare(definitions.get(name, {}))
            open_ += re.findall(r'"#/\$defs/([^"]+)"', json.dumps(kept[name]))
    return dict(sorted(kept.items()))


def main() -> None:
    definitions, kinds = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for part in (kubernetes, typed, kserve):
            more = part(Path(folder))
            definitions |= more[0]
            kinds |= more[1]
    kept = reachable(definitions, list(kinds.values()))
    document = {"kinds": dict(sorted(kinds.items())), "$defs": kept}
    lines = json.dumps(document, separators=(",", ":"))
    Path(__file__).with_name("schemas.json").write_text(lines.replace('},"', '},\n"') + "\n")
    print(len(kinds), "kinds,", len(kept), "definitions")


if __name__ == "__main__":
    main()
