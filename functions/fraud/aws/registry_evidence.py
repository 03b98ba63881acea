"""Where a version comes from and what speaks for it, in the fields that the model registry has for that."""

from __future__ import annotations

import unicodedata
from typing import Any

from fraud.deployment_ports import Evidence

LONGEST_DESCRIPTION = 1_024
LONGEST_PROPERTY = 256
PROPERTY_MARKS = frozenset("_.:/=+-@")
"""What a property may hold besides letters, digits and spaces."""


def fields(evidence: Evidence) -> dict[str, Any]:
    """Fields of CreateModelPackage.

    The reports are properties: the registry's fields for them are those of Clarify and Model Monitor, and name files of
    a schema that these are not.
    """
    metadata = {"GeneratedBy": evidence.generated_by} | ({"CommitId": evidence.commit} if evidence.commit else {})
    statistics = {"ContentType": "application/json", "S3Uri": evidence.evaluation_uri}
    return {
        "ModelPackageDescription": _description(evidence.description),
        "MetadataProperties": metadata,
        "ModelMetrics": {"ModelQuality": {"Statistics": statistics}},
    }


def properties(evidence: Evidence) -> dict[str, str]:
    """Entries of CustomerMetadataProperties; an empty one is left out, because none may be empty."""
    files = {
        "report_uri": evidence.report_uri,
        "card_uri": evidence.card_uri,
        "query_uri": evidence.query_uri,
        "plan_uri": evidence.plan_uri,
    }
    return {name: _property(value) for name, value in {**evidence.lineage, **files}.items() if value}


def _description(text: str) -> str:
    """Without control characters, and shortened where it is too long."""
    printable = "".join(" " if unicodedata.category(each).startswith("C") else each for each in text)
    return _shortened(printable, LONGEST_DESCRIPTION)


def _property(text: str) -> str:
    """What may not stand in a property is an underscore."""
    return _shortened("".join(each if _may_stand(each) else "_" for each in text), LONGEST_PROPERTY)


def _may_stand(character: str) -> bool:
    return character in PROPERTY_MARKS or unicodedata.category(character)[0] in "LNZ"


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
