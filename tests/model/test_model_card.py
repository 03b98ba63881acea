"""The card that travels with a package says what the package is."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from fraud import features
from model import model_card, package
from tests.model.conftest import Trained


def test_model_card_lies_in_the_archive_and_beside_it(trained: Trained, tmp_path: Path) -> None:
    package.build_archive(trained.model_dir, tmp_path / "model.tar.gz")

    with tarfile.open(tmp_path / "model.tar.gz") as tar:
        member = tar.extractfile(model_card.NAME)
        assert member is not None
        assert member.read() == (trained.model_dir / model_card.NAME).read_bytes()


def test_model_card_names_contract_data_thresholds_and_every_feature_with_its_unit(trained: Trained) -> None:
    document = json.loads((trained.model_dir / "package.json").read_text())
    card = model_card.render(document)

    training = document["training"]
    told = [document["contract"]["hash"], document["model_sha256"], training["first_at"], training["last_at"]]
    told += [f"{document['thresholds']['block']:.6f}", f"{document['thresholds']['review']:.6f}"]
    told += [f"| {feature.name} | {feature.unit} |" for feature in features.TABLE]
    told += [f"| {name} | {value} |" for name, value in training["parameters"].items()]
    told += [f"| {name} | {value:.4f} |" for name, value in training["metrics"].items()]
    assert [text for text in told if text not in card] == []


def test_model_card_says_what_the_model_is_for_and_what_it_cannot_do(trained: Trained) -> None:
    card = (trained.model_dir / model_card.NAME).read_text()

    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == [
        "Intended use", "Data", "Measured", "Thresholds", "Limits", "Oversight", "Parameters", "Features",
    ]  # fmt: skip


def test_model_card_importance_adds_up_to_the_whole(trained: Trained) -> None:
    shares = json.loads((trained.model_dir / "package.json").read_text())["training"]["importance"]

    assert abs(sum(shares.values()) - 1) < 1e-6
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
