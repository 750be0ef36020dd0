"""Which turns make which step: nothing left out, nothing twice, the same on any number of processes."""

from collections import Counter
from typing import Any

from coabench.training.schedule import Piece, Schedule

TURNS = [1, 2, 4, 1, 2, 3, 1, 2]


def schedule(**changes: Any) -> Schedule:
    settings = {"seed": 3, "batch_size": 8, "micro_batch": 2, "steps": 4, **changes}
    return Schedule(TURNS, [10 * t for t in TURNS], **settings)


def turns_of(micro_batches: list[list[Piece]]) -> list[tuple[int, int]]:
    return [(sample, turn) for batch in micro_batches for sample, turns, _ in batch for turn in turns]


def test_every_turn_comes_once_an_epoch() -> None:
    epochs = schedule(steps=4)  # 16 turns an epoch: two steps of eight
    turns = turns_of(list(epochs.micro_batches()))
    every = Counter((sample, turn) for sample, count in enumerate(TURNS) for turn in range(count))
    assert Counter(turns) == Counter(dict.fromkeys(every, 2))
    assert Counter(turns[:16]) == every
    assert turns[:16] != turns[16:]


def test_every_micro_batch_is_full() -> None:
    batches = list(schedule().micro_batches())
    assert len(batches) == 4 * 4
    assert all(sum(len(turns) for _, turns, _ in batch) == 2 for batch in batches)


def test_a_step_is_the_same_on_any_number_of_processes() -> None:
    alone = list(schedule().micro_batches())
    shared = [list(schedule().micro_batches(rank, 2)) for rank in range(2)]
    assert len(shared[0]) == len(shared[1]) == schedule().per_process(2) * 4 == 8
    for step in range(4):
        parts = [batch for own in shared for batch in own[2 * step : 2 * step + 2]]
        assert Counter(turns_of(parts)) == Counter(turns_of(alone[4 * step : 4 * step + 4]))


def test_a_larger_micro_batch_makes_the_same_steps() -> None:
    small, large = list(schedule().micro_batches()), list(schedule(micro_batch=4).micro_batches())
    for step in range(4):
        few, many = turns_of(large[2 * step : 2 * step + 2]), turns_of(small[4 * step : 4 * step + 4])
        assert Counter(few) == Counter(many)


def test_turns_of_a_sample_stay_together_where_they_can() -> None:
    first = next(schedule(micro_batch=8).micro_batches())
    assert len({sample for sample, *_ in first}) == len(first)


def test_another_seed_is_another_order() -> None:
    assert list(schedule().micro_batches()) == list(schedule().micro_batches())
    assert list(schedule().micro_batches()) != list(schedule(seed=4).micro_batches())


def test_half_of_the_epochs_show_a_sample_mirrored() -> None:
    pieces = [piece for batch in schedule(steps=200, mirror=True).micro_batches() for piece in batch]
    for sample in range(len(TURNS)):
        shown = [look.mirrored for other, _, look in pieces if other == sample]
        assert 0.3 < sum(shown) / len(shown) < 0.7
    assert not any(look.mirrored for batch in schedule().micro_batches() for *_, look in batch)


def test_records_are_shuffled_apart_and_an_epoch_ends_with_its_last_whole_batch() -> None:
    batches = list(schedule(share=False, batch_size=6, steps=400).micro_batches())  # 16 records: two steps of six
    assert all(len(turns) == 1 for batch in batches for _, turns, _ in batch)
    turns = turns_of(batches)
    epochs = [turns[at : at + 12] for at in range(0, len(turns), 12)]
    assert all(len({*epoch}) == 12 for epoch in epochs)
    assert set(turns) == {(sample, turn) for sample, count in enumerate(TURNS) for turn in range(count)}
    first = [epoch.index((2, 0)) - epoch.index((2, 1)) for epoch in epochs if {(2, 0), (2, 1)} <= {*epoch}]
    assert min(first) < 0 < max(first)
    assert sum(abs(apart) == 1 for apart in first) < len(first) / 3
