"""Models and endpoint configurations: what is checked when they are created, and what an endpoint is built from."""

from dataclasses import dataclass

from local.sagemaker import capture
from local.sagemaker.api import ApiError, Document, Operation
from local.sagemaker.artefacts import Artefacts
from local.sagemaker.records import Records, now, page
from local.sagemaker.registry import Registry


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """What the serving container needs of a model."""

    data_url: str
    environment: tuple[tuple[str, str], ...]


class Models:
    """CreateModel and its relatives."""

    def __init__(self, prefix: str, artefacts: Artefacts, registry: Registry) -> None:
        self._records = Records("model", prefix)
        self._artefacts = artefacts
        self._registry = registry

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateModel": self.create,
            "DescribeModel": lambda request: self._records.get(request["ModelName"]),
            "DeleteModel": lambda request: self._records.remove(request["ModelName"]),
            "ListModels": lambda request: page(self._records.all(), request, "Models", "ModelName"),
        }

    def create(self, request: Document) -> Document:
        containers = request.get("Containers") or [request.get("PrimaryContainer") or {}]
        if len(containers) != 1:
            raise ApiError("The laptop serves models of one container.")
        spec = self._spec(containers[0])
        self._artefacts.require(spec.data_url)
        name = request["ModelName"]
        arn = self._records.arn(f"model/{name}")
        return self._records.add(name, {**request, "ModelArn": arn, "CreationTime": now(), "_spec": spec})

    def spec(self, name: str) -> ContainerSpec:
        spec: ContainerSpec = self._records.get(name)["_spec"]
        return spec

    def _spec(self, container: Document) -> ContainerSpec:
        if "ModelPackageName" in container:
            if container.keys() & {"Image", "ModelDataUrl"}:
                raise ApiError("Image and ModelDataUrl must not be given together with ModelPackageName.")
            packaged = self._registry.approved_container(container["ModelPackageName"])
            container = {**packaged, "Environment": packaged.get("Environment", {}) | container.get("Environment", {})}
        if "ModelDataUrl" not in container or "Image" not in container:
            raise ApiError("A container needs Image and ModelDataUrl, or ModelPackageName.")
        return ContainerSpec(container["ModelDataUrl"], tuple(sorted(container.get("Environment", {}).items())))


class EndpointConfigs:
    """CreateEndpointConfig and its relatives; a configuration never changes."""

    def __init__(self, prefix: str, models: Models) -> None:
        self._records = Records("endpoint configuration", prefix)
        self._models = models

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateEndpointConfig": self.create,
            "DescribeEndpointConfig": lambda request: self.get(request["EndpointConfigName"]),
            "DeleteEndpointConfig": lambda request: self._records.remove(request["EndpointConfigName"]),
            "ListEndpointConfigs": lambda request: page(
                self._records.all(), request, "EndpointConfigs", "EndpointConfigName"
            ),
        }

    def create(self, request: Document) -> Document:
        for variant in request["ProductionVariants"]:
            self._models.spec(variant.get("ModelName", ""))
            if not variant.keys() & {"InstanceType", "ServerlessConfig"}:
                raise ApiError(f"Variant {variant['VariantName']} needs InstanceType or ServerlessConfig.")
        if "DataCaptureConfig" in request:
            capture.check(request["DataCaptureConfig"])
        name = request["EndpointConfigName"]
        variants = [{"InitialVariantWeight": 1.0, **variant} for variant in request["ProductionVariants"]]
        arn = self._records.arn(f"endpoint-config/{name}")
        document = {**request, "ProductionVariants": variants, "EndpointConfigArn": arn, "CreationTime": now()}
        return self._records.add(name, document)

    def get(self, name: str) -> Document:
        return self._records.get(name)
