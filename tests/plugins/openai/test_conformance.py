"""The conformance suite, over HTTP."""

from __future__ import annotations

import pytest
from support.chat_server import ChatServer

from coabench.testing import BackboneConformance, PluginConformance
from coabench.testing.backbones import check

pytestmark = pytest.mark.process


class TestPlugin(PluginConformance):
    plugin = "openai"


class TestServer(BackboneConformance):
    @classmethod
    def find(cls):
        with ChatServer() as server:
            return check("openai", "my-vlm", assignments={"base_url": server.url}, remote=True)


del BackboneConformance, PluginConformance  # not to be collected
