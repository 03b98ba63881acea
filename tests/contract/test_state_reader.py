"""One round of consistent reads."""

from tests.fakes import samples
from tests.fakes.world import Stores


def test_read_unknown_keys_are_left_out(stores: Stores) -> None:
    snapshot = stores.ports().state.read(["card#c1", "terminal#m1"])
    assert (snapshot.entities, snapshot.routing) == ({}, None)


def test_read_routing_item_comes_back_as_it_was_written(stores: Stores) -> None:
    routing = samples.routing(share_bps=500, challenger="b")
    stores.set_routing(routing)
    assert stores.ports().state.read([]).routing == routing


def test_read_more_keys_than_one_call_takes_finds_all(stores: Stores) -> None:
    ports = stores.ports()
    commits = [samples.commit(samples.decision(samples.accepted(f"t{n}", f"c{n}"))) for n in range(45)]
    ports.decisions.commit(commits)
    keys = [f"card#c{number}" for number in range(250)]
    found = ports.state.read(keys).entities
    assert {key: each.state for key, each in found.items()} == {each.key: each.state for each in commits}


def test_read_terminals_only_those_that_exist(stores: Stores) -> None:
    assert stores.ports().terminals.read_terminals(["terminal#m1"]) == {}
