"""The template as the stand-in can deploy it: SAM translated, code by location, refused resources set aside."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local import conditions

_FUNCTION = "AWS::Serverless::Function"
_LAYER = "AWS::Serverless::LayerVersion"
_STATE_MACHINE = "AWS::Serverless::StateMachine"


LAYERS_ROOT = "/opt"
"""Where Lambda lays the content of a function's layers."""


class NotSupported(Exception):
    """The template wants what this machine cannot give, and would not miss quietly."""


@dataclass(frozen=True, slots=True)
class Translated:
    """A native CloudFormation template and what had to be left out of it, as `LogicalId (Type)`."""

    body: str
    left_out: tuple[str, ...]


def read(path: Path) -> dict[str, Any]:
    """A template in YAML with CloudFormation's short forms, or in JSON, without layers that have to be built.

    Definitions of state machines stand in it.
    """
    document: dict[str, Any] = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    _leave_built_layers(document)
    for properties in _of_type(document, _STATE_MACHINE):
        if isinstance(properties.get("DefinitionUri"), str):
            properties["Definition"] = _definition(path.parent / properties.pop("DefinitionUri"))
    return document


def _leave_built_layers(document: dict[str, Any]) -> None:
    """What would have to be built first is the packages that functions import; here they are installed already."""
    layers = {name: each for name, each in document["Resources"].items() if each["Type"] == _LAYER}
    built = [name for name, each in layers.items() if "BuildMethod" in each.get("Metadata", {})]
    for properties in [*_of_type(document, _FUNCTION), document.get("Globals", {}).get("Function", {})]:
        if "Layers" in properties:
            properties["Layers"] = [each for each in properties["Layers"] if each.get("Ref") not in built]
    for name in built:
        del document["Resources"][name]


def _definition(path: Path) -> dict[str, Any]:
    definition: dict[str, Any] = (json.loads if path.suffix == ".json" else yaml.safe_load)(path.read_text())
    return definition


def code_directories(template: Mapping[str, Any]) -> set[str]:
    """Every CodeUri of the template's functions and ContentUri of its layers, as written there."""
    default = template.get("Globals", {}).get("Function", {}).get("CodeUri")
    functions = {properties.get("CodeUri", default) for properties in _of_type(template, _FUNCTION)}
    return functions | {properties["ContentUri"] for properties in _of_type(template, _LAYER)}


def _of_type(template: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """The properties of every resource of a type."""
    return [resource["Properties"] for resource in template["Resources"].values() if resource["Type"] == kind]


def translate(
    template: dict[str, Any],
    code: Mapping[str, str],
    deployable: set[str],
    region: str,
    parameters: Mapping[str, str] | None = None,
) -> Translated:
    """Replace code directories by their s3:// addresses, expand SAM, and set aside types that cannot be deployed.

    What the parameters would not have created is set aside, too, but not left out.

    Raises: NotSupported if a function has several layers and reads them, or would read a stream through what cannot be
    deployed, or a mapping does not know the region.
    """
    _place_code(template, code)
    native = _expand(template, region)
    _require_one_layer(native)
    refused = {n: r["Type"] for n, r in native["Resources"].items() if r["Type"] not in deployable}
    wanted = _wanted(native, parameters or {}, region)
    left_out = {name: kind for name, kind in refused.items() if name in wanted}
    _require_sources(wanted, left_out)
    for name in refused:
        del native["Resources"][name]
    return Translated(json.dumps(native), tuple(f"{name} ({kind})" for name, kind in sorted(left_out.items())))


def _wanted(native: Mapping[str, Any], parameters: Mapping[str, str], region: str) -> dict[str, Any]:
    """The resources that the parameters create, by logical id."""
    try:
        return conditions.resources(native, parameters, {"AWS::Region": region})
    except KeyError as error:
        raise NotSupported(f"No condition can be weighed in {region}: there is no {error} in the template.") from error


def _require_sources(wanted: Mapping[str, Any], left_out: Mapping[str, str]) -> None:
    """Without its source a function would wait for ever, and nobody would know."""
    for resource in wanted.values():
        source = resource.get("Properties", {}).get("EventSourceArn")
        if resource["Type"] != "AWS::Lambda::EventSourceMapping" or not isinstance(source, Mapping):
            continue
        name = next(iter(source.get("Fn::GetAtt", ())), "")
        if name in left_out:
            function = resource["Properties"]["FunctionName"].get("Ref", "A function")
            raise NotSupported(f"{function} would read from {name} ({left_out[name]}), which this machine cannot have.")


def _place_code(template: dict[str, Any], code: Mapping[str, str]) -> None:
    functions = [*_of_type(template, _FUNCTION), template.get("Globals", {}).get("Function", {})]
    for properties in [*functions, *_of_type(template, _LAYER)]:
        for name in properties.keys() & {"CodeUri", "ContentUri"}:
            properties[name] = code[properties[name]]


def _require_one_layer(native: Mapping[str, Any]) -> None:
    for name, function in native["Resources"].items():
        if function["Type"] != "AWS::Lambda::Function" or len(function["Properties"].get("Layers", ())) < 2:
            continue
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        if any(in_layers(value) for value in variables.values()):
            message = f"{name} has several layers, and a variable that names {LAYERS_ROOT}: here that is one layer's."
            raise NotSupported(message)


def in_layers(value: Any) -> bool:
    """Whether a variable's value is a place in the layers."""
    return isinstance(value, str) and (value == LAYERS_ROOT or value.startswith(f"{LAYERS_ROOT}/"))


def _expand(template: dict[str, Any], region: str) -> dict[str, Any]:
    from boto3.session import Session
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    session = Session(region_name=region)
    translator = Translator({}, Parser(), boto_session=session)
    native: dict[str, Any] = translator.translate(template, {})
    return native


class _Loader(yaml.SafeLoader):
    """YAML in which !Ref, !Sub and the other short forms become their long ones."""


def _long_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in {"Ref", "Condition"} else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if tag == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _long_form)
# A policy's version is text; YAML would read 2012-10-17 as a date.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
