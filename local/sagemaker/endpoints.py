"""Endpoints: their life cycle, and the variants that answer for them."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from local.sagemaker import capture
from local.sagemaker.api import ApiError, Document, Operation
from local.sagemaker.models import ContainerSpec, EndpointConfigs, Models
from local.sagemaker.records import Records, now, page
from local.sagemaker.serving import RESPONSE_SECONDS, ContainerFailed, Serving

_DELETING_SECONDS = 0.5
"""On AWS it takes minutes; long enough here for those who look to see it, and that the name is not free yet."""
Start = Callable[[ContainerSpec, Path], Serving]


@dataclass(slots=True, eq=False)
class Variant:
    """A production variant that is serving, its present share of the traffic, and how many wait for its answer."""

    name: str
    settings: Document
    serving: Serving
    weight: float
    capture: Document | None = None
    callers: int = 0


class Endpoints:
    """CreateEndpoint and its relatives. A new configuration is brought up beside the old one and then takes over."""

    def __init__(self, prefix: str, configs: EndpointConfigs, models: Models, start: Start, directory: Path) -> None:
        self._records = Records("endpoint", prefix)
        self._account = prefix.rpartition(":")[2]
        self._configs = configs
        self._models = models
        self._start = start
        self._directory = directory
        self._fleets = count(1)
        self._traffic = threading.Condition()
        self.require_unwatched: Callable[[str], None] = lambda _: None
        """Refuses what may not be done to an endpoint that a monitoring schedule watches."""
        self.flush_captures: Callable[[], None] = lambda: None
        """Writes what was captured; an endpoint that is gone leaves nothing behind that is not written."""

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateEndpoint": self.create,
            "DescribeEndpoint": self.describe,
            "UpdateEndpoint": self.update,
            "UpdateEndpointWeightsAndCapacities": self.weigh,
            "DeleteEndpoint": self.delete,
            "ListEndpoints": lambda request: page(
                self._records.all(), request, "Endpoints", "EndpointName", "EndpointStatus"
            ),
        }

    def create(self, request: Document) -> Document:
        name = request["EndpointName"]
        self._configs.get(request["EndpointConfigName"])
        endpoint = {
            **request,
            "EndpointArn": self._records.arn(f"endpoint/{name}"),
            "EndpointStatus": "Creating",
            "CreationTime": now(),
            "_variants": [],
        }
        self._touch(self._records.add(name, endpoint))
        self._in_background(self._bring_up, endpoint, request["EndpointConfigName"], "Failed")
        return endpoint

    def describe(self, request: Document) -> Document:
        endpoint = self._records.get(request["EndpointName"])
        captured = [variant.capture for variant in endpoint["_variants"] if variant.capture]
        config = {"DataCaptureConfig": capture.described(captured[0])} if captured else {}
        return {**endpoint, "ProductionVariants": [_summary(variant) for variant in endpoint["_variants"]], **config}

    def update(self, request: Document) -> Document:
        endpoint = self._settled(request["EndpointName"], "update")
        self._configs.get(request["EndpointConfigName"])
        if endpoint["EndpointStatus"] == "Failed":
            raise ApiError(f'Cannot update failed endpoint "{endpoint["EndpointArn"]}".')
        self._touch(endpoint, EndpointStatus="Updating")
        self._in_background(self._bring_up, endpoint, request["EndpointConfigName"], "InService")
        return endpoint

    def weigh(self, request: Document) -> Document:
        endpoint = self._settled(request["EndpointName"], "update")
        variants = {variant.name: variant for variant in endpoint["_variants"]}
        for wanted in request["DesiredWeightsAndCapacities"]:
            if wanted["VariantName"] not in variants:
                raise ApiError(f"Could not find variant {wanted['VariantName']}.")
            variants[wanted["VariantName"]].weight = wanted.get("DesiredWeight", variants[wanted["VariantName"]].weight)
        self._touch(endpoint)
        return endpoint

    def delete(self, request: Document) -> Document:
        endpoint = self._settled(request["EndpointName"], "delete")
        self.require_unwatched(request["EndpointName"])
        self._touch(endpoint, EndpointStatus="Deleting")
        self._in_background(self._take_down, endpoint)
        return {}

    def captures(self, name: str) -> bool:
        """Whether an endpoint is there and captures data."""
        try:
            endpoint = self._records.get(name)
        except ApiError:
            return False
        is_going = endpoint["EndpointStatus"] == "Deleting"
        return not is_going and any(capture.is_on(variant.capture) for variant in endpoint["_variants"])

    def machines(self, name: str, variant: str) -> int:
        """How many a variant has; 0 where it is serverless, or not there."""
        try:
            variants: list[Variant] = self._records.get(name)["_variants"]
        except ApiError:
            return 0
        return next((each.settings.get("InitialInstanceCount", 0) for each in variants if each.name == variant), 0)

    @contextmanager
    def borrowed(self, name: str, choose: Callable[[Sequence[Variant]], Variant]) -> Iterator[Variant]:
        """One of the variants that answer for an endpoint; it is not taken down before it is given back.

        Raises: ApiError, worded as the runtime's, if the endpoint is not in service.
        """
        with self._traffic:
            variant = choose(self._serving(name))
            variant.callers += 1
        try:
            yield variant
        finally:
            with self._traffic:
                variant.callers -= 1
                self._traffic.notify_all()

    def _serving(self, name: str) -> list[Variant]:
        try:
            variants: list[Variant] = self._records.get(name)["_variants"]
        except ApiError:
            variants = []
        if not variants:
            raise ApiError(f"Endpoint {name} of account {self._account} not found.", "ValidationError")
        return variants

    def _settled(self, name: str, verb: str) -> Document:
        endpoint = self._records.get(name)
        if endpoint["EndpointStatus"] in ("Creating", "Updating", "Deleting"):
            raise ApiError(f'Cannot {verb} in-progress endpoint "{endpoint["EndpointArn"]}".')
        return endpoint

    def _bring_up(self, endpoint: Document, config: str, status_on_failure: str) -> None:
        """Start the configuration's variants; on failure what served before goes on serving."""
        started: list[Variant] = []
        try:
            # One by one, so that those which did start are known when the next one does not.
            given = self._configs.get(config)
            for settings in given["ProductionVariants"]:
                started += [self._variant(endpoint["EndpointName"], settings, given.get("DataCaptureConfig"))]
        except (ContainerFailed, ApiError, OSError, RuntimeError) as error:
            self._retire(started)
            reason = f"The primary container did not pass the ping health check: {error}"
            self._touch(endpoint, EndpointStatus=status_on_failure, FailureReason=reason)
            return
        replaced = self._replace(endpoint, started)
        endpoint.pop("FailureReason", None)
        self._touch(endpoint, EndpointStatus="InService", EndpointConfigName=config)
        self._retire(replaced)

    def _take_down(self, endpoint: Document) -> None:
        self._retire(self._replace(endpoint, []))
        self.flush_captures()
        time.sleep(_DELETING_SECONDS)
        self._records.remove(endpoint["EndpointName"])

    def _variant(self, endpoint: str, settings: Document, captured: Document | None) -> Variant:
        base = self._directory / endpoint / f"{next(self._fleets)}-{settings['VariantName']}"
        serving = self._start(self._models.spec(settings["ModelName"]), base)
        return Variant(settings["VariantName"], settings, serving, settings["InitialVariantWeight"], captured)

    def _replace(self, endpoint: Document, variants: list[Variant]) -> list[Variant]:
        """Lead traffic to other variants; returns those that it went to."""
        with self._traffic:
            before: list[Variant] = endpoint["_variants"]
            endpoint["_variants"] = variants
        return before

    def _retire(self, variants: list[Variant]) -> None:
        """End them, once they have answered those who wait."""
        with self._traffic:
            self._traffic.wait_for(lambda: not any(variant.callers for variant in variants), RESPONSE_SECONDS)
        for variant in variants:
            variant.serving.close()

    def _touch(self, endpoint: Document, **changes: Any) -> None:
        endpoint.update(changes, LastModifiedTime=now())

    def _in_background(self, work: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, name="endpoint", daemon=True).start()


def _summary(variant: Variant) -> Document:
    weights = {"VariantName": variant.name, "CurrentWeight": variant.weight, "DesiredWeight": variant.weight}
    serverless = variant.settings.get("ServerlessConfig")
    if serverless:
        return {**weights, "CurrentServerlessConfig": serverless, "DesiredServerlessConfig": serverless}
    count_of_instances = variant.settings.get("InitialInstanceCount")
    return {**weights, "CurrentInstanceCount": count_of_instances, "DesiredInstanceCount": count_of_instances}
