"""What finds the faces of a page, and what a viewer may change it to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from coabench.base.worker_thread import WorkerThread
from coabench.errors import CoabenchError, JobError, UserError
from coabench.live.detector_process import DetectorProcess
from coabench.live.equipment import Equipment
from coabench.live.probe import Probe
from coabench.live.sources import Note
from coabench.registry.blame import contained


class Detectors:
    """The detector in use, and those that work here.

    Args:
        changed: called with ``detector`` and the name of the one that finds the faces from now on.

    Attributes:
        name: the one in use; None where the session does not say.
        about: what of it can change which faces it finds.
        offers: what a viewer may change to, by name.
        switching: what is being made ready, if anything.
    """

    def __init__(self, probe: Probe, equipment: Equipment, note: Note, changed: Callable[[str, str], None]) -> None:
        self._probe, self._note, self._changed = probe, note, changed
        self.about: Mapping[str, Any] | None = equipment.identities[0].detector
        self.name: str | None = None if self.about is None else self.about["name"]
        self.offers = equipment.detectors
        self.switching: str | None = None
        self._in_use: DetectorProcess = equipment.detector
        self._switcher = WorkerThread("detectors")

    async def switch(self, name: str) -> None:
        """Find faces with another detector from the next frame on; where it cannot be made ready the old one goes on.

        Raises:
            CoabenchError: it is not on the list, another one is being made ready, or it does not work.
        """
        if name not in self.offers:
            raise UserError("there is no such detector", expected=", ".join(self.offers), remedy="choose another")
        if self.switching is not None:
            raise UserError("another one is being made ready", found=self.switching, remedy="wait for it")
        self.switching = name
        try:
            self.about = await asyncio.wrap_future(self._switcher.submit(lambda: self._switch(name)))
            self.name = name
            self._changed("detector", name)
        except CoabenchError as error:
            raise JobError(
                f"detector {name} could not be made ready, {self.name} goes on",
                found=f"{error.problem}: {error.found}" if error.found else error.problem,
                remedy=error.remedy,
            ) from error
        except Exception as error:
            self._note(f"detector {name} could not be made ready: {type(error).__name__}: {error}")
            found = type(error).__name__
            raise JobError(f"detector {name} could not be made ready, {self.name} goes on", found=found) from error
        finally:
            self.switching = None

    @contained()
    def _switch(self, name: str) -> Mapping[str, Any]:
        opened, about = self.offers[name].open()
        self._probe.find_with(opened)
        self._in_use.close()
        self._in_use = opened
        return about

    def close(self) -> None:
        """End the one in use, once the probe is closed."""
        self._switcher.close()
        self._in_use.close()
