"""The type of ``--batch-size``."""

from __future__ import annotations

import click

from coabench.inference.batching import BatchSize


class BatchSizeType(click.ParamType[BatchSize]):
    """A number, 1 or more, or ``auto``."""

    name = "N|auto"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> BatchSize:
        if value == "auto":
            return "auto"
        try:
            number = int(str(value))
        except ValueError:
            number = 0
        if number < 1:
            self.fail(f"{value!r} is neither a whole number of 1 or more nor auto", param, ctx)
        return number
