"""Any server that speaks the OpenAI chat protocol, as a backbone."""

from __future__ import annotations

from coabench import hookimpl
from coabench.hookspecs import Register


@hookimpl
def coabench_register_backbones(register: Register) -> None:
    """Register the backbone ``openai``."""
    register(
        "openai",
        "coabench_openai.backbone:Server",
        description="a server of the OpenAI chat protocol (vLLM, SGLang, llama.cpp, Ollama, hosted): openai:MODEL",
    )
