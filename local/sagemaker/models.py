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


_SERVERLESS_STEP = 1_024
"""MB."""


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
            _check_variant(variant)
        if any("ServerlessConfig" in variant for variant in request["ProductionVariants"]):
            _check_serverless(request)
        if "DataCaptureConfig" in request:
            capture.check(request["DataCaptureConfig"])
        name = request["EndpointConfigName"]
        variants = [{"InitialVariantWeight": 1.0, **variant} for variant in request["ProductionVariants"]]
        arn = self._records.arn(f"endpoint-config/{name}")
        document = {**request, "ProductionVariants": variants, "EndpointConfigArn": arn, "CreationTime": now()}
        return self._records.add(name, document)

    def get(self, name: str) -> Document:
        return self._records.get(name)


def _check_variant(variant: Document) -> None:
    name, machines = variant["VariantName"], {"InstanceType", "InitialInstanceCount"}
    given = machines & variant.keys()
    if "ServerlessConfig" in variant:
        if given:
            raise ApiError(f"Variant {name} is serverless, and has no machines.")
        if variant["ServerlessConfig"]["MemorySizeInMB"] % _SERVERLESS_STEP:
            raise ApiError(f"Variant {name}: MemorySizeInMB is one of 1024, 2048, 3072, 4096, 5120 and 6144.")
    elif given != machines:
        raise ApiError(f"Variant {name} needs InstanceType and InitialInstanceCount, or ServerlessConfig.")


def _check_serverless(request: Document) -> None:
    """What serverless endpoints exclude.

    https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
    """
    if len(request["ProductionVariants"]) > 1 or "ShadowProductionVariants" in request:
        raise ApiError("A serverless endpoint has one variant.")
    if "DataCaptureConfig" in request:
        raise ApiError("Data capture is not supported for serverless endpoints.")
