"""Folds: a split cut into parts, each of which is tested on by what learnt from the others."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coabench.base.names import to_hash
from coabench.base.vocabulary import SUBJECT
from coabench.dataset import Sample
from coabench.errors import UserError
from coabench.runs.dataset_identity import FoldIdentity

STRATIFIED, SUBJECTS = "stratified", "subjects"
"""How a split is cut: k folds alike in their labels, or one fold for each person."""

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """A fold of a split.

    Attributes:
        samples: those that are held out.
        others: the rest, which may be learnt from.
        notes: what the user should know, in sentences.
    """

    identity: FoldIdentity
    samples: Sequence[Sample]
    others: Sequence[Sample]
    notes: Sequence[str]


def check_seed(fold: str | None, seed: int | None) -> None:
    """Refuse (`UserError`) a seed of folds where there are none."""
    if fold is None and seed is not None:
        raise UserError("--fold-seed has no effect without folds", remedy="add --fold or --folds, or leave it out")


def open_fold(text: str, samples: Sequence[Sample], seed: int | None, name: str) -> Fold:
    """Cut a split, and return one of its folds.

    Args:
        text: which of how many, ``3/10``; ``3/subjects`` for the third person of all.
        samples: of the split.
        seed: which folds go with which persons or samples, 0 where it is None; leaving out a person at a time needs
            none.
        name: of the data set, for error messages.

    Raises:
        UserError: *text* names no fold, or the split cannot be cut so.
    """
    wanted = re.fullmatch(rf"([0-9]{{1,9}})/([0-9]{{1,9}}|{SUBJECTS})", text)
    if wanted is None:
        raise _unfit(text, "a fold and how many there are, as in 3/10, or 3/subjects to leave out the third person")
    number, folds = int(wanted[1]), count_folds(wanted[2])
    seed = seed or 0
    numbers = cut(samples, folds, seed, name)
    of = int(numbers.max())
    if not 1 <= number <= of:
        raise _unfit(text, f"a fold from 1 to {of}")
    identity = FoldIdentity(
        number=number,
        of=of,
        scheme=SUBJECTS if folds is None else STRATIFIED,
        seed=None if folds is None else seed,
        assignment=_digest(samples, numbers),
    )
    held = [sample for sample, own in zip(samples, numbers, strict=True) if own == number]
    others = [sample for sample, own in zip(samples, numbers, strict=True) if own != number]
    unnamed = sum(subject_of(sample) is None for sample in samples)
    of_which = f"{unnamed:,} of {len(samples):,} samples" if unnamed < len(samples) else "any sample"
    note = f"the person is not known of {of_which}: one person may be in several folds"
    return Fold(identity, held, others, [note] if unnamed else [])


def count_folds(text: str) -> int | None:
    """Return the number of folds; None for one fold for each person.

    Raises:
        UserError: *text* is neither ``subjects`` nor a number of 2 or more.
    """
    if text == SUBJECTS:
        return None
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 2:
        raise UserError(
            f"{text!r} is no number of folds", expected=f"2 or more, or {SUBJECTS}", remedy="correct the folds"
        )
    return int(text)


def cut(samples: Sequence[Sample], folds: int | None, seed: int, name: str) -> Numbers:
    """Return the fold of each sample, from 1 on, shape (n,).

    A person is in one fold. k folds have about the same labels: scikit-learn's StratifiedGroupKFold, without persons
    StratifiedKFold. Neither draws: the order of persons, or samples, by the hash of seed and name decides, so that the
    folds do not depend on a generator of random numbers. One fold for each person, in the order of their names, is what
    LeaveOneGroupOut makes.

    Args:
        folds: None for one for each person.

    Raises:
        UserError: there are fewer persons, or samples of a label, than folds; or persons are needed and not known.
    """
    persons = [subject_of(sample) for sample in samples]
    if folds is None:
        return _by_person(persons, name)
    _check_enough(samples, persons, folds, name)
    import sklearn.model_selection as sklearn

    def drawn(text: str) -> bytes:
        return hashlib.sha256(to_hash(f"{seed}:{text}")).digest()

    names = [
        sample.id if person is None else f"person {person}" for sample, person in zip(samples, persons, strict=True)
    ]
    rank = {each: place for place, each in enumerate(sorted({*names}, key=drawn))}
    units = np.array([rank[each] for each in names])
    order = np.argsort(units, kind="stable")
    labels = np.array([sample.target for sample in samples])[order]
    if len(rank) == len(samples):
        parts = sklearn.StratifiedKFold(folds).split(labels, labels)
    else:
        parts = sklearn.StratifiedGroupKFold(folds).split(labels, labels, units[order])
    numbers = np.zeros(len(samples), dtype=np.int64)
    for number, (_, held) in enumerate(parts, start=1):
        numbers[order[held]] = number
    if empty := folds - len({*numbers.tolist()}):
        raise UserError(
            f"{empty} of {folds} folds of {name!r} would be empty", expected="persons with about as many samples each",
            remedy="ask for fewer folds",
        )  # fmt: skip
    return numbers


def subject_of(sample: Sample) -> str | None:
    """Return who is shown, None where it is not known."""
    subject = sample.attributes.get(SUBJECT)
    return None if subject is None or subject == "" else str(subject)


def _by_person(persons: Sequence[str | None], name: str) -> Numbers:
    unnamed = persons.count(None)
    if unnamed:
        raise UserError(
            f"{name!r} cannot be cut by persons: of {unnamed:,} of {len(persons):,} samples the person is not known",
            expected=f"the attribute {SUBJECT!r} of every sample",
            remedy="name the persons in the card, or ask for a number of folds, as in 3/10",
        )
    numbers: Numbers = np.unique(np.array(persons, dtype=object).astype(str), return_inverse=True)[1] + 1
    if numbers.max() < 2:
        raise UserError(f"all samples of {name!r} show one person", expected="two persons or more")
    return numbers


def _check_enough(samples: Sequence[Sample], persons: Sequence[str | None], folds: int, name: str) -> None:
    few = min(Counter(sample.target for sample in samples).items(), key=lambda item: item[1])
    subjects = len({*persons} - {None}) + persons.count(None)
    number, what = min((subjects, "persons"), (few[1], f"samples of {few[0]!r}"))
    if number < folds:
        raise UserError(
            f"{name!r} cannot be cut into {folds} folds",
            expected=f"at least {folds} {what}",
            found=str(number),
            remedy=f"ask for {number} folds or fewer" if number > 1 else "use another data set",
        )


def _digest(samples: Sequence[Sample], numbers: Numbers) -> str:
    digest = hashlib.sha256()
    for sample, number in zip(samples, numbers.tolist(), strict=True):
        digest.update(to_hash(f"{number}\0{sample.id}\n"))
    return digest.hexdigest()


def _unfit(text: str, expected: str) -> UserError:
    return UserError(f"--fold {text} names no fold", expected=expected, remedy="correct --fold")
