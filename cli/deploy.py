"""`fraud deploy-model`: the first model of a stack into service."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console
from cli.errors import CommandError
from cli.options import AsJson
from cli.target import Target, addressed
from cli.training import ARCHIVE

if TYPE_CHECKING:
    from fraud.services.deployment import Deployment

EPILOG = """[bold]Examples[/bold]

  fraud deploy-model .fraud/model --approve

  fraud deploy-model .fraud/model              only register it, for somebody else to approve

  fraud deploy-model arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/3

Without a model everything is decided by rules. A second model comes in by a rollout, never by this command. Giving
the same directory again registers no second version."""

Model = Annotated[str, typer.Argument(help="A directory that `fraud train` wrote, or the ARN of an approved version.")]
Approve = Annotated[bool, typer.Option("--approve", help="Approve it yourself, and put it in service.")]
InstanceType = Annotated[str, typer.Option(help="Machines of the endpoint.")]
InstanceCount = Annotated[int, typer.Option(min=1, help="How many.")]
DEFAULT_INSTANCE = "ml.m5.large"
LOOKS, LOOK_EVERY = 60, 1.0
"""At a version whose registration is under way; a few seconds are usual."""
LOCAL_DISKS = re.compile(r"ml\.([a-z]+\d+[a-z]*d[a-z]*|(dl|trn)\d+[a-z]*|(g|gr|p)([5-9]|\d\d)[a-z]*(-[a-z0-9]+)?)\.")
"""Instance types with NVMe disks of their own: a d behind the generation, Habana and Trainium, and GPUs since the 5th.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-store-volumes.html
"""


@addressed
def deploy_model(
    target: Target,
    model: Model,
    approve: Approve = False,
    instance_type: InstanceType = DEFAULT_INSTANCE,
    instance_count: InstanceCount = 1,
    as_json: AsJson = False,
) -> None:
    """Register a model package and, once approved, put it in service as the first champion."""
    with console.stderr().status("Deploying") as spinner:
        deployment = connect(target, spinner.update, instance_type)
        package = model if model.startswith("arn:") else enlist(deployment, Path(model), approve)
        served = approve or model.startswith("arn:")
        if served:
            serve(deployment, package, instance_type, instance_count)
    tell(package, served, as_json)


def connect(target: Target, progress: Callable[[str], None], instance_type: str = DEFAULT_INSTANCE) -> "Deployment":
    """The use-case, bound to the stack and to what its machines allow."""
    from fraud.bootstrap import deployment
    from fraud.settings import DeploymentSettings

    names = DeploymentSettings(
        rollout_table=target.output("RolloutTableName"),
        endpoint_slot_a=target.output("EndpointSlotA"),
        endpoint_slot_b=target.output("EndpointSlotB"),
        model_package_group=target.output("ModelPackageGroupName"),
        model_image=target.output("ModelImageUri"),
        model_bucket=target.output("ArchiveBucketName"),
        execution_role=target.output("SageMakerExecutionRoleArn"),
        volume_key=volume_key(target, instance_type),
    )
    return deployment(target.session, names, target.endpoint_url, progress)


def volume_key(target: Target, instance_type: str) -> str | None:
    """The stack's key; none where disks of the machine encrypt themselves, because SageMaker then refuses one.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
    """
    return None if LOCAL_DISKS.match(instance_type) else target.output("DataKeyArn")


def enlist(deployment: "Deployment", directory: Path, approve: bool) -> str:
    """Register the package in a directory; its ARN. Raises: CommandError, FraudError."""
    archive = directory / ARCHIVE
    if not archive.is_file():
        raise CommandError(f"No model package in {directory}: there is no {ARCHIVE}. Make one with `fraud train`.")
    if approve:
        deployment.refuse_second_champion()
    return deployment.register(archive.read_bytes(), approved=approve)


def serve(deployment: "Deployment", package: str, instance_type: str, instance_count: int) -> Any:
    """Put it in service. Raises: FraudError, each saying what to do."""
    from fraud.deployment_ports import Instance

    await_registration(deployment, package)
    return deployment.bootstrap_champion(package, Instance(instance_type, instance_count))


def await_registration(deployment: "Deployment", package: str) -> None:
    """Give the registry the time it takes; the use-case refuses what is not complete even then. Raises: FraudError."""
    for _ in range(LOOKS - 1):
        if deployment.packages.is_complete(package):
            return
        deployment.progress(f"Waiting for the registration of {package}")
        deployment.sleep(LOOK_EVERY)


def tell(package: str, served: bool, as_json: bool) -> None:
    """What stands now."""
    if as_json:
        console.write_json({"model_package": package, "in_service": served})
    elif served:
        console.stdout().print(f"[green]In service[/]: {package}", highlight=False, soft_wrap=True)
    else:
        console.stdout().print(
            f"Registered: {package}\nOnce approved: fraud deploy-model {package}",
            highlight=False,
            soft_wrap=True,
        )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(deploy_model)
