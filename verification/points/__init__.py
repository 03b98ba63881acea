"""Every point, in the order of asking: what is quick first, what destroys the shared endpoint last."""

from verification.points import (
    alarms,
    buses,
    captures,
    containers,
    endpoints,
    machines,
    mappings,
    monitor,
    queries,
    removals,
    serverless,
    shadows,
    tables,
)
from verification.probe import Probe

ALL: tuple[Probe, ...] = (
    *alarms.PROBES,
    *tables.PROBES,
    *buses.PROBES,
    *mappings.PROBES,
    *queries.PROBES,
    *machines.PROBES,
    *containers.PROBES,
    *serverless.PROBES,
    *shadows.PROBES,
    *captures.PROBES,
    *endpoints.PROBES,
    *monitor.PROBES,
    *removals.PROBES,
)
