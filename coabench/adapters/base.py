"""The base of an adapter: what is opened, by its name or by the adapter's training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from coabench.backbone import Backbone, BackboneRequest, Trainee
from coabench.errors import UserError
from coabench.registry.catalog import find_backbone
from coabench.registry.options import distribute
from coabench.runs.adapter import TrainingRecord


@dataclass(frozen=True)
class Base:
    """A backbone with an adapter, checked and not loaded.

    Attributes:
        model: what was named behind the backbone's name; None for the one that it ships.
        trainee: writes it as a checkpoint.
    """

    backbone: Backbone[Any]
    model: str | None
    trainee: Trainee

    @classmethod
    def open(cls, adapter: Path, training: TrainingRecord, named: str | None) -> Self:
        """Open the base on the CPU, in float32: adapters are merged in it, and rounded once when that is written.

        Args:
            named: ``NAME[:MODEL]``; None for the base that the adapter's training names.

        Raises:
            UserError: nothing names it, it is not there, the adapter does not fit, or it cannot be written.
        """
        if named is None:
            if training.identity is None:
                raise UserError(
                    f"nothing says what the adapter in {adapter} belongs to",
                    expected="--backbone NAME:MODEL, or an adapter that coabench has trained",
                    remedy="for instance --backbone phi-3.5-vision:microsoft/Phi-3.5-vision-instruct",
                )
            trained = training.identity.backbone
            named = trained.name + (f":{trained.model}" if trained.model else "")
        registration, model = find_backbone(named)
        factory = registration.load()
        if "trains" not in factory.capabilities:
            raise UserError(
                f"backbone {registration.name!r} cannot be written as a checkpoint",
                expected="a backbone that trains",
                found=", ".join(sorted(factory.capabilities)),
                remedy="choose another --backbone",
            )
        options = distribute(training.assignments({}, factory.Options), {"backbone": factory.Options})["backbone"]
        backbone = registration.open(BackboneRequest(model, str(adapter), "cpu", "float32", options))
        return cls(backbone, model, backbone.trainee(factory.TrainingOptions()))
