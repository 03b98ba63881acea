"""Tables of JSON lines in a bucket, and queries of them, through plain clients."""

import gzip
import io
import json
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.local.conftest import Running, eventually

OPENX = "org.openx.data.jsonserde.JsonSerDe"


class Lake:
    """A database and a prefix of this test's own in a bucket."""

    def __init__(self, stack: Running, outputs: dict[str, str]) -> None:
        self.athena, self.s3, self._glue = (stack.client(name) for name in ("athena", "s3", "glue"))
        self.bucket, self._group = outputs["Lake"], outputs["WorkGroup"]
        self.prefix = f"p{uuid.uuid4().hex}"
        self.database = self.prefix
        self._glue.create_database(DatabaseInput={"Name": self.database})

    def table(
        self, columns: dict[str, str], partitions: tuple[str, ...] = (), serde: str = OPENX, **serdes: str
    ) -> None:
        """A table `rows` below the prefix."""
        storage = {
            "Location": f"s3://{self.bucket}/{self.prefix}",
            "Columns": [{"Name": name, "Type": kind} for name, kind in columns.items()],
            "SerdeInfo": {"SerializationLibrary": serde, "Parameters": serdes},
        }
        keys = [{"Name": name, "Type": "string"} for name in partitions]
        table = {"Name": "rows", "StorageDescriptor": storage, "PartitionKeys": keys}
        self._glue.create_table(DatabaseName=self.database, TableInput=table)

    def put(self, key: str, *lines: Any, below: str = "") -> None:
        """Write lines, documents or text as it is; compressed if the key says so."""
        text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines).encode()
        body = gzip.compress(text) if key.endswith(".gz") else text
        self.s3.put_object(Bucket=self.bucket, Key=f"{below or self.prefix}/{key}", Body=body)

    def start(self, query: str, database: str = "", **fields: Any) -> str:
        context = {"Database": database or self.database}
        fields = {"WorkGroup": self._group, "QueryExecutionContext": context, **fields}
        return str(self.athena.start_query_execution(QueryString=query, **fields)["QueryExecutionId"])

    def ended(self, query_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            execution: dict[str, Any] = self.athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            return execution if execution["Status"]["State"] not in ("QUEUED", "RUNNING") else {}

        return eventually(look)

    def run(self, query: str, database: str = "", **fields: Any) -> dict[str, Any]:
        """The execution of a query, when it has ended."""
        return self.ended(self.start(query, database, **fields))

    def refusal(self, query: str) -> str:
        """Why a query failed."""
        status = self.run(query)["Status"]
        assert status["State"] == "FAILED", status
        return str(status["StateChangeReason"])

    def rows(self, query: str) -> list[list[str | None]]:
        """What a query gives, as Athena tells it."""
        execution = self.run(query)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        result = self.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"]
        return [[value.get("VarCharValue") for value in row["Data"]] for row in result["Rows"][1:]]

    def keys(self, prefix: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in found]

    def text(self, address: str) -> str:
        key = address.removeprefix(f"s3://{self.bucket}/")
        return str(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode())

    def parquet(self, prefix: str) -> pa.Table:
        """The rows below a prefix."""
        bodies = [self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in self.keys(prefix)]
        return pa.concat_tables([pq.read_table(io.BytesIO(body)) for body in bodies])
