"""The training container: what image 3.2-0 does between `train` and the user's script, in the same order.

Run as `python -m local.sagemaker.training_container <lifeline> <base directory>`; the base directory stands for
/opt/ml. The script's requirements are not installed: what the laptop has installed is what it finds.
"""

import json
import os
import shutil
import sys
import tarfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local import lifeline
from local.sagemaker.job_container import ISOLATED, located, python_path, run

_RESERVED = "sagemaker_"
_OFF = {"0", "f", "false", "n", "no", "off"}


class ContainerError(Exception):
    """The toolkit reports it in its own words; anything else is a "framework error" with its traceback."""


def main(arguments: list[str]) -> int:
    lifeline.watch(int(arguments[0]))
    base = Path(arguments[1])
    failure = _failure(base)
    (base / "output" / ("failure" if failure else "success")).write_text(failure)
    return 1 if failure else 0


def _failure(base: Path) -> str:
    """Train; why that failed, or nothing."""
    try:
        _train(base)
    except Exception as error:  # noqa: BLE001 - the toolkit reports whatever goes wrong
        traceback.print_exception(error)
        known = isinstance(error, ContainerError)
        return str(error) if known else f"framework error: \n{traceback.format_exc()}\n{error}"
    return ""


def _train(base: Path) -> None:
    reserved, given = split(json.loads((base / "input/config/hyperparameters.json").read_text()))
    module = _program(reserved).removesuffix(".py")
    reserved = located(reserved, base)
    _fetch_code(str(reserved.get("sagemaker_submit_directory", "")), base / "code")
    require_installable(os.environ)
    command = [sys.executable, "-m", module, *user_arguments(given)]
    variables = environment(base, module, reserved, given)
    variables["PYTHONPATH"] = python_path(str(base / "code"), variables.get("PYTHONPATH", ""))
    if run(command, base / "code", variables) != 0:
        raise ContainerError(f'ExecuteUserScriptError:\nCommand "{" ".join(command)}"')


def require_installable(variables: Mapping[str, str]) -> None:
    """The toolkit installs the script with pip, which by itself builds with what it downloads.

    So an isolated job needs PIP_NO_BUILD_ISOLATION, whose sense is inverted: 0 or false turns the isolation of builds
    off. https://github.com/pypa/pip/issues/5735

    Raises: ContainerError if pip would have to download.
    """
    if variables.get(ISOLATED) and variables.get("PIP_NO_BUILD_ISOLATION", "").lower() not in _OFF:
        print("pip cannot download setuptools in an isolated job: set PIP_NO_BUILD_ISOLATION=0", file=sys.stderr)
        raise ContainerError(f'InstallModuleError:\nCommand "{sys.executable} -m pip install . "')


def split(hyperparameters: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """SageMaker's own and the script's, each value JSON where it is JSON."""
    decoded = {name: _decoded(value) for name, value in hyperparameters.items()}
    reserved = {name: value for name, value in decoded.items() if name.startswith(_RESERVED)}
    return reserved, {name: value for name, value in decoded.items() if name not in reserved}


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def user_arguments(hyperparameters: dict[str, Any]) -> list[str]:
    """The script's command line: sorted, one letter is a short option, mappings become k=v,k=v."""
    arguments = []
    for name, value in sorted(hyperparameters.items()):
        arguments += [f"-{name}" if len(name) == 1 else f"--{name}", _text(value)]
    return arguments


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in value.items())
    return str(value)


def _program(reserved: dict[str, Any]) -> str:
    program = os.environ.get("SAGEMAKER_PROGRAM") or reserved.get("sagemaker_program")
    if not program:
        raise ContainerError("The laptop has no built-in algorithm: set sagemaker_program.")
    return str(program)


def _fetch_code(source: str, code: Path) -> None:
    """Bring the submit directory, an archive in S3 or on the disk or a directory, into code, if that is empty."""
    if any(code.iterdir()) or not source:
        return
    if urlsplit(source).scheme == "s3":
        import boto3

        from local.sagemaker.artefacts import Artefacts

        Artefacts(boto3.client("s3")).extract(source, code)
    elif Path(source).is_dir():
        shutil.copytree(source, code, dirs_exist_ok=True)
    else:
        with tarfile.open(source, "r:gz") as archive:
            archive.extractall(code, filter="data")


def environment(base: Path, module: str, reserved: dict[str, Any], given: dict[str, Any]) -> dict[str, str]:
    """The container's environment with SM_* added: JSON, except text as it is and None as empty."""
    channels = sorted(path.name for path in (base / "input/data").iterdir())
    values: dict[str, Any] = {
        "HOSTS": ["algo-1"],
        "CURRENT_HOST": "algo-1",
        "NETWORK_INTERFACE_NAME": "eth0",
        "HPS": given,
        "USER_ENTRY_POINT": f"{module}.py",
        "FRAMEWORK_PARAMS": reserved,
        "FRAMEWORK_MODULE": "sagemaker_xgboost_container.training:main",
        "RESOURCE_CONFIG": json.loads((base / "input/config/resourceconfig.json").read_text()),
        "INPUT_DATA_CONFIG": json.loads((base / "input/config/inputdataconfig.json").read_text()),
        "OUTPUT_DATA_DIR": str(base / "output/data"),
        "OUTPUT_DIR": str(base / "output"),
        "OUTPUT_INTERMEDIATE_DIR": str(base / "output/intermediate"),
        "CHANNELS": channels,
        "MODULE_NAME": module,
        "MODULE_DIR": reserved.get("sagemaker_submit_directory", str(base / "code")),
        "LOG_LEVEL": 20,
        "INPUT_DIR": str(base / "input"),
        "INPUT_CONFIG_DIR": str(base / "input/config"),
        "NUM_CPUS": os.cpu_count(),
        "NUM_GPUS": 0,
        "MODEL_DIR": str(base / "model"),
        "USER_ARGS": user_arguments(given),
    }
    values |= {f"HP_{name.upper()}": value for name, value in given.items()}
    values |= {f"CHANNEL_{name.upper()}": str(base / "input/data" / name) for name in channels}
    values["TRAINING_ENV"] = {name.lower(): value for name, value in values.items()}
    return {**os.environ, **{f"SM_{name}": _variable(value) for name, value in values.items()}}


def _variable(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
