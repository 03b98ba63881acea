"""Tiles: exact, commutative, bounded, and read the same whatever has expired."""

from hypothesis import given
from hypothesis import strategies as st

from fraud import entities, windows
from fraud.windows import LARGEST_SUM, EntityState, Level, Reading, Shape, Tile, Window

SHAPE = Shape(levels=(Level(10, 4), Level(100, 3)), sums=("count", "amount"))
events = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 9)), max_size=30)


def folded(*events: tuple[int, int], shape: Shape = SHAPE) -> EntityState:
    state = windows.empty(shape)
    for at, amount in events:
        state = windows.add(state, shape, at, (1, amount))
    return state


def read(state: EntityState, at: int, *wanted: Window) -> Tile:
    return Reading(SHAPE, wanted).sums(state, at)[0]


def test_add_first_event_sets_every_level_and_both_times() -> None:
    state = folded((105, 5))
    assert state == EntityState(({10: (1, 5)}, {1: (1, 5)}), 105, 105)


def test_add_events_of_one_tile_are_summed() -> None:
    assert folded((100, 5), (109, 2)).series == ({10: (2, 7)}, {1: (2, 7)})


def test_add_later_event_drops_tiles_that_are_no_longer_kept() -> None:
    assert folded((0, 1), (30, 1)).series[0] == {0: (1, 1), 3: (1, 1)}
    assert folded((0, 1), (40, 1)).series[0] == {4: (1, 1)}


def test_add_late_event_folds_into_its_own_tile() -> None:
    state = folded((35, 1), (12, 2))
    assert state.series[0] == {3: (1, 1), 1: (1, 2)}
    assert (state.first_at, state.watermark) == (12, 35)


def test_add_event_older_than_a_level_keeps_leaves_that_level_alone() -> None:
    assert folded((150, 1), (12, 2)).series == ({15: (1, 1)}, {1: (1, 1), 0: (1, 2)})


def test_add_negative_sums_take_back_what_was_added() -> None:
    state = windows.add(folded((5, 3)), SHAPE, 5, (-1, -3))
    assert state.series == ({0: (0, 0)}, {0: (0, 0)})


def test_add_sums_saturate_at_64_bits() -> None:
    assert folded((0, LARGEST_SUM), (1, LARGEST_SUM)).series[0] == {0: (2, LARGEST_SUM)}


def test_read_window_ends_with_the_tile_of_the_reading_time() -> None:
    state = folded((0, 1), (10, 2), (20, 4), (30, 8))
    assert read(state, 29, Window(0, 2)) == (2, 6)


def test_read_lag_leaves_the_open_tile_out() -> None:
    state = folded((0, 1), (10, 2), (20, 4))
    assert read(state, 29, Window(0, 1, lag=1)) == (1, 2)


def test_read_empty_state_is_zero() -> None:
    assert read(windows.empty(SHAPE), 1000, Window(1, 3)) == (0, 0)


@given(events)
def test_fold_any_events_equal_the_naive_sum_over_the_window(happened: list[tuple[int, int]]) -> None:
    """Every window that the level keeps in full, read at the watermark."""
    state = folded(*happened)
    at = state.watermark or 0
    for level, tiles in ((0, 4), (0, 2), (1, 3)):
        width = SHAPE.levels[level].width
        oldest = at // width - tiles + 1
        amounts = [amount for when, amount in happened if oldest <= when // width <= at // width]
        assert read(state, at, Window(level, tiles)) == (len(amounts), sum(amounts))


@given(events, st.lists(st.tuples(st.integers(0, 1), st.integers(1, 4), st.integers(0, 3)), max_size=6))
def test_read_many_windows_at_once_equal_each_alone(
    happened: list[tuple[int, int]], of: list[tuple[int, int, int]]
) -> None:
    """Windows share segments; the order and the company in which they are read changes nothing."""
    state = folded(*happened)
    wanted = [Window(*each) for each in of]
    assert Reading(SHAPE, wanted).sums(state, 250) == [read(state, 250, each) for each in wanted]


@given(events, st.randoms(use_true_random=False))
def test_fold_any_order_reads_the_same(happened: list[tuple[int, int]], random: st.DataObject) -> None:
    """Where the watermark comes first, whatever is dropped on the way is out of every window at the end."""
    shuffled = list(happened)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = folded(*happened), folded(*shuffled)
    assert (one.first_at, one.watermark) == (other.first_at, other.watermark)
    at = one.watermark or 0
    assert all(
        read(one, at, Window(level, keep)) == read(other, at, Window(level, keep)) for level, keep in ((0, 4), (1, 3))
    )


@given(events)
def test_fold_any_events_keep_a_bounded_number_of_tiles(happened: list[tuple[int, int]]) -> None:
    state = folded(*happened)
    assert all(len(tiles) <= level.keep for tiles, level in zip(state.series, SHAPE.levels, strict=True))


def test_add_takes_nothing_back_from_a_tile_that_expired() -> None:
    terminal = entities.report_fraud(windows.empty(entities.TERMINAL), 5 * entities.DAY, -1)
    assert [tile for series in terminal.series for tile in series.values()] == [(0, 0, 0)]
