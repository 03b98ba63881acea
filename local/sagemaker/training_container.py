"""The training container: what image 3.2-0 does between `train` and the user's script, in the same order.

Run as `python -m local.sagemaker.training_container <lifeline> <base directory>`; the base directory stands for
/opt/ml. The script's requirements are not installed: what the laptop has installed is what it finds.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local import lifeline
from local.children import ROOT

_RESERVED = "sagemaker_"


def main(arguments: list[str]) -> int:
    lifeline.watch(int(arguments[0]))
    base = Path(arguments[1])
    reserved, given = split(json.loads((base / "input/config/hyperparameters.json").read_text()))
    module = _program(reserved).removesuffix(".py")
    _fetch_code(reserved, base / "code")
    command = [sys.executable, "-m", module, *user_arguments(given)]
    status = _run(command, base, environment(base, module, reserved, given))
    outcome = base / "output" / ("failure" if status else "success")
    outcome.write_text(f'ExecuteUserScriptError:\nCommand "{" ".join(command)}"' if status else "")
    return 1 if status else 0


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
        raise SystemExit("The laptop has no built-in algorithm: set sagemaker_program.")
    return str(program)


def _fetch_code(reserved: dict[str, Any], code: Path) -> None:
    """Untar sagemaker_submit_directory into code, if that is empty."""
    import boto3

    from local.sagemaker.artefacts import Artefacts

    source = str(reserved.get("sagemaker_submit_directory", ""))
    if any(code.iterdir()) or not source:
        return
    if urlsplit(source).scheme != "s3":
        raise SystemExit(f"The laptop fetches code from S3 only, not from {source}.")
    Artefacts(boto3.client("s3")).extract(source, code)


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


def _run(command: list[str], base: Path, variables: dict[str, str]) -> int:
    """Run the script in the code directory; a signal to stop goes to it, and what it writes meanwhile counts."""
    ours = {str(ROOT), str(ROOT / "functions")}
    packages = [entry for entry in sys.path if entry.endswith("site-packages") and entry not in ours]
    variables["PYTHONPATH"] = os.pathsep.join([str(base / "code"), *packages])
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # the whole group gets it; the script decides
    return subprocess.Popen(command, cwd=base / "code", env=variables).wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
