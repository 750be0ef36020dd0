"""RAF-DB for coabench: the data sets ``raf-db-basic`` and ``raf-db-compound``."""

from __future__ import annotations

from coabench import hookimpl
from coabench.base import shipped
from coabench.hookspecs import Register


@hookimpl
def coabench_register_datasets(register: Register) -> None:
    for subset, classes in (("basic", "7 basic emotions"), ("compound", "11 compound emotions")):
        register(
            f"raf-db-{subset}",
            "coabench_rafdb.dataset:RafDb",
            description=f"RAF-DB, {classes} (files on request from its authors)",
            card=shipped.path("datasets_registry", f"raf-db-{subset}.yaml"),
            short=subset,
        )
