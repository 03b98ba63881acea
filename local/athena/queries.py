"""Queries: started once per token, stopped when they are told to, their results where the answer says they are."""

import asyncio
import csv
import io
import shutil
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlparse

from local.athena import engine, tables, unload
from local.gateway import Gateway, service
from local.objects import put_object

_Document = dict[str, Any]
_Handler = Callable[[_Document], Any]
_Result = TypeVar("_Result")
_directories: ContextVar[list[str]] = ContextVar("directories")
"""Where the tables of a query lie on this machine; the stand-in forgets them when it fails."""


class Queries:
    """Puts itself where the stand-in starts, runs and stops queries."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._stand_in = _without_duckdb()
        self._begun: dict[str, tuple[_Document, Any]] = {}

    def install(self) -> None:
        stand_in = self._stand_in
        stand_in._start_query_execution = self._starting(stand_in._start_query_execution)
        stand_in._execute_query = self._execute
        copy = stand_in._materialize_table_files
        stand_in._materialize_table_files = lambda location, _: copy(location, _directories.get())
        tables.install()

    def _starting(self, start: _Handler) -> _Handler:
        def start_query_execution(request: _Document) -> Any:
            token, asked = request.get("ClientRequestToken"), dict(request)
            if token in self._begun:
                earlier, answer = self._begun[token]
                return answer if earlier == asked else self._refused("Idempotent parameters do not match")
            answer = self._started(start, request)
            if token is not None and answer[0] < 300:
                self._begun[token] = asked, answer
            return answer

        return start_query_execution

    def _started(self, start: _Handler, request: _Document) -> Any:
        group = self._stand_in._workgroups.get(request.get("WorkGroup", "primary"))
        if group is None or group["State"] != "ENABLED":
            return self._refused(f"WorkGroup {request.get('WorkGroup')} is not found or disabled.")
        location = _location(group.get("Configuration") or {}, request)
        return start({**request, "ResultConfiguration": {"OutputLocation": location} if location else {}})

    def _refused(self, message: str) -> Any:
        return self._stand_in.error_response_json("InvalidRequestException", message, 400)

    async def _execute(self, query_id: str, text: str, database: str, ddl: Any, catalog: str | None = None) -> None:
        """The stand-in's contract of a run; a query that was stopped meanwhile stays so."""
        execution, begun = self._stand_in._executions[query_id], time.time()
        status = execution["Status"]
        status["State"] = "RUNNING"
        try:
            if unload.is_unload(text):
                await self._unload(execution)
            else:
                await self._select(execution, ddl)
            ending = {"State": "SUCCEEDED"}
        except Exception as error:  # noqa: BLE001 - whatever it is, it is why the query failed
            ending = {"State": "FAILED", "StateChangeReason": str(error)[:2000]}
        milliseconds = int((time.time() - begun) * 1000)
        execution["Statistics"].update(
            EngineExecutionTimeInMillis=milliseconds, TotalExecutionTimeInMillis=milliseconds
        )
        if status["State"] == "RUNNING":
            status.update(ending, CompletionDateTime=time.time())

    async def _select(self, execution: _Document, ddl: Any) -> None:
        if ddl is not None:
            results = self._stand_in._run_ddl(ddl, execution["QueryExecutionContext"]["Database"])
        else:
            results = await self._computed(execution, execution["Query"], engine.select)
        execution["_results"] = {"columns": results["columns"], "rows": results["rows"]}
        execution["_column_types"] = results["column_types"]
        await self._save(execution["ResultConfiguration"]["OutputLocation"], [results["columns"], *results["rows"]])

    async def _unload(self, execution: _Document) -> None:
        # The result of an UNLOAD is a manifest; its location is a prefix of that.
        configuration = execution["ResultConfiguration"]
        configuration["OutputLocation"] = configuration["OutputLocation"].removesuffix(".csv")
        statement = unload.parse(execution["Query"])
        unload.require_empty(statement)
        write = partial(unload.write, self._gateway, statement)
        written = await self._computed(execution, statement.select, write)
        manifest = f"{configuration['OutputLocation']}-manifest.csv"
        await self._save(manifest, [[address] for address in written])
        execution["Statistics"]["DataManifestLocation"] = manifest

    async def _computed(self, execution: _Document, query: str, work: Callable[[Any, str], _Result]) -> _Result:
        """What work makes of a connection and the query, whose tables have become files of this machine."""
        context, status, directories = execution["QueryExecutionContext"], execution["Status"], list[str]()
        _directories.set(directories)
        rewrite = self._stand_in._rewrite_data_paths
        try:
            rewritten, _, _ = await rewrite(query, context["Database"], context["Catalog"])
            return await engine.compute(lambda c: work(c, rewritten), lambda: bool(status["State"] == "CANCELLED"))
        finally:
            for directory in directories:
                shutil.rmtree(directory, ignore_errors=True)

    async def _save(self, address: str, rows: list[list[Any]]) -> None:
        """Write rows as CSV; the stand-in writes them elsewhere than where it says."""
        content, parsed = io.StringIO(), urlparse(address)
        csv.writer(content).writerows(rows)
        body = content.getvalue().encode()
        await asyncio.to_thread(put_object, self._gateway, parsed.netloc, parsed.path.lstrip("/"), body)


def _without_duckdb() -> Any:
    """The stand-in's module, which imports DuckDB to see whether it is there: a tenth of a second at every start."""
    sys.modules.setdefault("duckdb", None)  # type: ignore[arg-type]
    try:
        stand_in = service("athena")
    finally:
        if sys.modules["duckdb"] is None:
            del sys.modules["duckdb"]
    stand_in._duckdb_available = True
    return stand_in


def _location(configuration: _Document, request: _Document) -> str | None:
    """Where results go, with a slash at its end: where the workgroup says, if it does and does not yield to clients."""
    own = (configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    asked = (request.get("ResultConfiguration") or {}).get("OutputLocation")
    enforced = configuration.get("EnforceWorkGroupConfiguration", True)
    location = own if own and enforced else asked or own
    return f"{location.rstrip('/')}/" if location else None
