"""What is taken where the user names nothing, on the command line and in Python alike: the embedded default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from coabench.decode import Decode

Dtype = Literal["auto", "float32", "bfloat16", "float16", "int8"]
"""The precision of a model; ``auto`` leaves it to `coabench.support.placement.dtype_of`."""

DTYPES: tuple[Dtype, ...] = get_args(Dtype)

BACKBONE = "tiny"
STRATEGY = "chain-of-affect"
DATASET = "synthface-compound"
"""What is evaluated, and whose labels the webcam asks about."""
DATASETS = ("synthface-basic", "synthface-compound")
"""What is trained on."""
BATCH_SIZE = 8
DECODE: Decode = "generate"
DEVICE = "auto"
DTYPE: Dtype = "auto"
SEED = 0
SUITE = "questions"
"""Of a stress: it costs little more than the clean run, since its conditions share one look at the images."""
SMOOTH = 3
"""Answers about a face that vote on what is shown live."""
