"""`python -m local`: the stack without the command line, for trying things out."""

import argparse
from pathlib import Path

from local.laptop import Laptop, serve


def _announce(laptop: Laptop) -> None:
    left_out = f", left out: {', '.join(laptop.left_out)}" if laptop.left_out else ""
    print(f"{laptop.stack_name} is ready at {laptop.url} in {laptop.region}{left_out}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="0 takes a free port")
    parser.add_argument("--template", type=Path, default=Path("template.yaml"))
    parser.add_argument("--stack-name", default="fraud-detection")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="of the template")
    parser.add_argument("--without-model-monitor", action="store_true", help="SageMaker refuses Model Monitor")
    arguments = parser.parse_args()
    parameters = dict(each.split("=", 1) for each in arguments.parameter)
    model_monitor = not arguments.without_model_monitor
    serve(arguments.port, arguments.template, arguments.stack_name, _announce, parameters, model_monitor=model_monitor)


if __name__ == "__main__":
    main()
