"""What is kept for samples to come has a bound in bytes."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

from coabench.support import shared_cache
from coabench.support.shared_cache import LruCache, SharedCache


def test_it_drops_what_was_not_used_for_longest():
    cache = LruCache(10)
    for name in "abc":
        cache.put(name, name.upper(), 4)
        cache.get("a")
    assert [cache.get(name) for name in "abc"] == ["A", None, "C"]
    cache.put("large", "LARGE", 11)
    assert cache.get("large") is None
    assert cache.get("a") == "A"


def test_a_small_machine_keeps_less(monkeypatch):
    monkeypatch.setattr(shared_cache, "memory_gib", lambda: 0.25)
    kept = SharedCache.on(torch.device("cpu"))
    kept.prefixes.put("fits", "it", 2**20)
    kept.prefixes.put("large", "it", 2**25)
    assert (kept.prefixes.get("fits"), kept.prefixes.get("large")) == ("it", None)
