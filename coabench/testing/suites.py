"""The conformance suites as pytest classes: derive one, name what is tested, and there is a test for each defect.

```python
class TestMine(StrategyConformance):
    strategy = "my-strategy"
```
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from coabench.errors import UserError
from coabench.testing import (
    backbones,
    commands,
    datasets,
    detectors,
    executors,
    metrics,
    observers,
    parsers,
    registration,
    rewrites,
    sections,
    strategies,
    transforms,
)
from coabench.testing.defects.backbones import DEFECTS as backbone_defects
from coabench.testing.defects.commands import DEFECTS as command_defects
from coabench.testing.defects.datasets import DEFECTS as dataset_defects
from coabench.testing.defects.detectors import DEFECTS as detector_defects
from coabench.testing.defects.executors import DEFECTS as executor_defects
from coabench.testing.defects.metrics import DEFECTS as metric_defects
from coabench.testing.defects.observers import DEFECTS as observer_defects
from coabench.testing.defects.parsers import DEFECTS as parser_defects
from coabench.testing.defects.registration import DEFECTS as registration_defects
from coabench.testing.defects.rewrites import DEFECTS as rewrite_defects
from coabench.testing.defects.sections import DEFECTS as section_defects
from coabench.testing.defects.strategies import DEFECTS as strategy_defects
from coabench.testing.defects.transforms import DEFECTS as transform_defects
from coabench.testing.findings import Defect, Finding


class Conformance:
    """A test for each defect; derive one of the classes below."""

    defects: ClassVar[tuple[Defect, ...]] = ()
    _findings: ClassVar[list[Finding] | UserError]

    @classmethod
    def find(cls) -> list[Finding]:
        """Return what is wrong."""
        raise NotImplementedError

    @classmethod
    def findings(cls) -> list[Finding] | UserError:
        """Return what is wrong, checked once for all tests of the class; the error where there is nothing to check."""
        if "_findings" not in vars(cls):
            try:
                cls._findings = cls.find()
            except UserError as error:
                cls._findings = error
        return cls._findings

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of each defect."""
        if "defect" in metafunc.fixturenames:
            metafunc.parametrize("defect", [defect.name for defect in self.defects])

    def test_conforms(self, defect: str) -> None:
        """There is no such defect; skipped where it cannot be seen here."""
        findings = self.findings()
        if isinstance(findings, UserError):
            if defect != self.defects[0].name:
                pytest.skip("it is not there; another test says why")
            pytest.fail(f"{findings}\n  is it installed? run: pip install -e .", pytrace=False)
        there = [finding for finding in findings if finding.defect.name == defect]
        errors = [str(finding) for finding in there if finding.defect.level == "error"]
        if errors:
            pytest.fail("\n".join(errors), pytrace=False)
        for finding in there:
            warnings.warn(str(finding), stacklevel=1)
        hidden = [str(finding) for finding in findings if finding.defect.level == "unchecked"]
        if hidden and not there:
            pytest.skip("\n".join(hidden))


class PluginConformance(Conformance):
    """A plugin as a whole: light, marked, loaded, its observers sound. Attribute ``plugin``: its entry-point name."""

    plugin: ClassVar[str]
    defects = tuple({defect.name: defect for defect in (*registration_defects, *observer_defects)}.values())

    @classmethod
    def find(cls) -> list[Finding]:
        from coabench.registry.commands import plugin_commands
        from coabench.testing.whole_plugin import find

        plugin_commands()  # a plugin may fail only when its commands are asked for
        findings = []
        for plugin in find(cls.plugin):
            findings += registration.check(plugin)
            if set(observers.HOOKS) & set(plugin.hooks):
                findings += observers.check(plugin)
        return findings


class BackboneConformance(Conformance):
    """A backbone. Attributes: ``backbone`` (``NAME[:MODEL]``, or the class), ``options`` (as with ``--set``)."""

    backbone: ClassVar[Any]
    options: ClassVar[Mapping[str, str]] = {}
    defects = backbone_defects

    @classmethod
    def find(cls) -> list[Finding]:
        backbone, model = cls.backbone, None
        if isinstance(backbone, str):
            backbone, _, model = backbone.partition(":")
        return backbones.check(backbone, model or None, assignments=dict(cls.options), remote=True)


class StrategyConformance(Conformance):
    """A strategy in all its variants. Attribute ``strategy``: its name, or the class."""

    strategy: ClassVar[Any]
    defects = strategy_defects

    @classmethod
    def find(cls) -> list[Finding]:
        return strategies.check(cls.strategy)


class DatasetConformance(Conformance):
    """A data set. Attributes: ``dataset`` (its name, or the class), ``data_root``, ``card``, ``options``."""

    dataset: ClassVar[Any]
    data_root: ClassVar[Path | None] = None
    card: ClassVar[Path | None] = None
    options: ClassVar[Mapping[str, str]] = {}
    defects = dataset_defects

    @classmethod
    def find(cls) -> list[Finding]:
        return datasets.check(cls.dataset, cls.data_root, card=cls.card, assignments=cls.options)


class DetectorConformance(Conformance):
    """A detector. Attributes: ``detector`` (its name, or the class), ``weights``, ``options``."""

    detector: ClassVar[Any]
    weights: ClassVar[Path | None] = None
    options: ClassVar[Mapping[str, str]] = {}
    defects = detector_defects

    @classmethod
    def find(cls) -> list[Finding]:
        return detectors.check(cls.detector, cls.weights, assignments=dict(cls.options))


class MetricConformance(Conformance):
    """A metric. Attribute ``metric``: the name it is registered under."""

    metric: ClassVar[str]
    defects = metric_defects

    @classmethod
    def find(cls) -> list[Finding]:
        return metrics.check(cls.metric)


class CommandConformance(Conformance):
    """A command, and those below it. Attribute ``command``: its name."""

    command: ClassVar[str]
    defects = command_defects

    @classmethod
    def find(cls) -> list[Finding]:
        from coabench.registry.commands import plugin_commands

        cli = plugin_commands()
        if cls.command not in cli.commands:
            raise UserError(
                f"no plugin here adds a command {cls.command!r}",
                expected=", ".join(cli.commands) or "no plugin adds any",
                remedy="`coabench plugins list` shows what became of every plugin",
            )
        return commands.check(cli.commands[cls.command], cls.command)


class SectionConformance(Conformance):
    """A section of the report. Attribute ``section``: the name it is registered under."""

    section: ClassVar[str]
    defects = section_defects

    @classmethod
    def find(cls) -> list[Finding]:
        return sections.check(cls.section)


class ParserConformance(Conformance):
    """A parser. Attribute ``parser``: the name it is registered under."""

    parser: ClassVar[str]
    defects = parser_defects

    @classmethod
    def find(cls) -> list[Finding]:
        return parsers.check(cls.parser)


class TransformConformance(Conformance):
    """A transform. Attributes: ``transform`` (its name, or the class), ``options``."""

    transform: ClassVar[Any]
    options: ClassVar[Mapping[str, str]] = {}
    defects = transform_defects

    @classmethod
    def find(cls) -> list[Finding]:
        return transforms.check(cls.transform, assignments=cls.options)


class RewriteConformance(Conformance):
    """A rewrite. Attributes: ``rewrite`` (its name, or the class), ``options``."""

    rewrite: ClassVar[Any]
    options: ClassVar[Mapping[str, str]] = {}
    defects = rewrite_defects

    @classmethod
    def find(cls) -> list[Finding]:
        return rewrites.check(cls.rewrite, assignments=cls.options)


class ExecutorConformance(Conformance):
    """An executor of sweeps. Attributes: ``executor`` (its name, or the class), ``options``."""

    executor: ClassVar[Any]
    options: ClassVar[Mapping[str, str]] = {}
    defects = executor_defects

    @classmethod
    def find(cls) -> list[Finding]:
        return executors.check(cls.executor, assignments=cls.options)
