"""Endpoints, packages and jobs on the running stack, by plain clients."""

import json
import uuid
from typing import Any

from tests.local.archives import INFERENCE, TRAIN, tar_gz
from tests.local.checked import Checked
from tests.local.conftest import Running, eventually

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
SERVING = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


class Lab:
    """Names and artefacts for one test; what it asks of SageMaker is noted."""

    def __init__(self, stack: Running, outputs: dict[str, str], called: set[str]) -> None:
        self.sagemaker: Any = Checked(stack.client("sagemaker"), called)
        self.runtime = stack.client("sagemaker-runtime")
        self.s3 = stack.client("s3")
        self.bucket = outputs["Archive"]
        self.role = outputs["Role"]
        self.group = outputs["Packages"].rpartition("/")[2]
        self.name = f"n{uuid.uuid4().hex[:12]}"

    def upload(self, key: str, content: bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=f"lab/{self.name}/{key}", Body=content)
        return f"s3://{self.bucket}/lab/{self.name}/{key}"

    def container(self, factor: str = "2", inference: str = INFERENCE) -> dict[str, Any]:
        archive = tar_gz(factor_txt=factor, code__inference_py=inference)
        return {"Image": IMAGE, "ModelDataUrl": self.upload("model.tar.gz", archive), "Environment": SERVING}

    def config(self, name: str, container: dict[str, Any], **settings: Any) -> str:
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=self.role)
        variant = {"VariantName": "AllTraffic", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        variants = [{"ModelName": name, **variant}]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants, **settings)
        return name

    def endpoint(self, container: dict[str, Any], **settings: Any) -> str:
        self.config(self.name, container, **settings)
        self.sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=self.name)
        self.settled()
        return self.name

    def settled(self) -> dict[str, Any]:
        def look() -> Any:
            answer = self.sagemaker.describe_endpoint(EndpointName=self.name)
            return answer if answer["EndpointStatus"] not in ("Creating", "Updating") else None

        answer: dict[str, Any] = eventually(look)
        return answer

    def invoke(self, body: str = "1,2", **parameters: Any) -> Any:
        request = {"EndpointName": self.name, "Body": body, "ContentType": "text/csv", **parameters}
        return json.loads(self.runtime.invoke_endpoint(**request)["Body"].read())

    def package(self, **request: Any) -> str:
        specification = {
            "Containers": [self.container()],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        }
        answer = self.sagemaker.create_model_package(
            ModelPackageGroupName=self.group, InferenceSpecification=specification, **request
        )
        arn: str = answer["ModelPackageArn"]
        return arn

    def train(self, **hyperparameters: str) -> None:
        source = self.upload("source.tar.gz", tar_gz(train_py=TRAIN))
        self.upload("data/part/data.csv", b"1,2,3 ")
        channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.bucket}/lab/{self.name}/data"}}
        metrics = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
        self.sagemaker.create_training_job(
            TrainingJobName=self.name,
            RoleArn=self.role,
            AlgorithmSpecification={
                "TrainingImage": IMAGE, "TrainingInputMode": "File", "MetricDefinitions": metrics,
            },
            HyperParameters={"sagemaker_program": "train.py", "sagemaker_submit_directory": source, **hyperparameters},
            InputDataConfig=[{"ChannelName": "train", "DataSource": channel}],
            OutputDataConfig={"S3OutputPath": f"s3://{self.bucket}/lab/output"},
            ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5},
            StoppingCondition={"MaxRuntimeInSeconds": 600},
        )  # fmt: skip

    def trained(self) -> dict[str, Any]:
        """The job once it has ended; before, its answer may lack the artefacts that the model calls required."""
        plain = self.sagemaker._client

        def look() -> Any:
            return plain.describe_training_job(TrainingJobName=self.name)["TrainingJobStatus"] != "InProgress"

        eventually(look, 30)
        answer: dict[str, Any] = plain.describe_training_job(TrainingJobName=self.name)
        return answer
