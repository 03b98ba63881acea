"""Every kind of thing that probes create, by its name in a ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from verification import service_kinds, stored_kinds
from verification.kind import Kind, job, named

KINDS: Mapping[str, Kind] = {
    "alarm": Kind(
        service_kinds.alarm_stands,
        service_kinds.remove_alarm,
        ("cloudwatch.describe_alarms", "cloudwatch.delete_alarms"),
    ),
    "bucket": Kind(
        stored_kinds.bucket_stands,
        stored_kinds.remove_bucket,
        ("s3.head_bucket", "s3.list_objects_v2", "s3.delete_objects", "s3.delete_bucket"),
        is_base=True,
    ),
    "bus": Kind(
        service_kinds.bus_stands,
        service_kinds.remove_bus,
        (
            "events.describe_event_bus",
            "events.list_rules",
            "events.list_targets_by_rule",
            "events.remove_targets",
            "events.delete_rule",
            "events.delete_event_bus",
        ),
    ),
    "database": Kind(
        stored_kinds.database_stands, stored_kinds.remove_database, ("glue.get_database", "glue.delete_database")
    ),
    "definition": named("sagemaker", "data_quality_job_definition", "JobDefinitionName"),
    "endpoint": named("sagemaker", "endpoint", "EndpointName"),
    "endpoint_config": named("sagemaker", "endpoint_config", "EndpointConfigName"),
    # Its event sources are found by its name.
    "function": replace(named("lambda", "function", "FunctionName", describe="get"), is_base=True),
    "key": Kind(
        lambda aws, name: any(stored_kinds.keys(aws, name)),
        stored_kinds.remove_key,
        ("kms.list_keys", "kms.describe_key", "kms.schedule_key_deletion"),
        is_base=True,
        is_listed=True,
    ),
    "log_group": Kind(
        stored_kinds.log_group_stands,
        stored_kinds.remove_log_group,
        ("logs.describe_log_groups", "logs.delete_log_group"),
        is_base=True,
    ),
    "log_streams": Kind(
        lambda aws, name: bool(stored_kinds.log_streams(aws, name)),
        stored_kinds.remove_log_streams,
        ("logs.describe_log_streams", "logs.delete_log_stream"),
        is_base=True,
    ),
    "machine": Kind(
        service_kinds.machine_stands,
        service_kinds.remove_machine,
        ("stepfunctions.describe_state_machine", "stepfunctions.delete_state_machine"),
    ),
    "mappings": Kind(
        lambda aws, name: bool(service_kinds.mappings(aws, name)),
        service_kinds.remove_mappings,
        ("lambda.list_event_source_mappings", "lambda.delete_event_source_mapping"),
        is_listed=True,
    ),
    "model": named("sagemaker", "model", "ModelName"),
    "processing_job": job("processing"),
    "queue": Kind(stored_kinds.queue_stands, stored_kinds.remove_queue, ("sqs.get_queue_url", "sqs.delete_queue")),
    "role": Kind(
        stored_kinds.role_stands,
        stored_kinds.remove_role,
        ("iam.get_role", "iam.list_role_policies", "iam.delete_role_policy", "iam.delete_role"),
        is_base=True,
    ),
    "schedule": Kind(
        named("sagemaker", "monitoring_schedule", "MonitoringScheduleName").stands,
        service_kinds.remove_schedule,
        (
            "sagemaker.describe_monitoring_schedule",
            "sagemaker.list_monitoring_executions",
            "sagemaker.stop_processing_job",
            "sagemaker.delete_monitoring_schedule",
            "logs.describe_log_streams",
            "logs.delete_log_stream",
        ),
    ),
    "stream": named("kinesis", "stream", "StreamName", describe="describe"),
    "table": named("dynamodb", "table", "TableName"),
    "training_job": job("training"),
    "work_group": Kind(
        stored_kinds.work_group_stands,
        stored_kinds.remove_work_group,
        ("athena.get_work_group", "athena.delete_work_group"),
    ),
}
