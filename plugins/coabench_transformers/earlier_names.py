"""How transformers named the parts of a model in earlier versions, which the tensors of older adapters still do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming, rename_source_key


def todays_names(model: Any) -> Callable[[str], str]:
    """Return the function that renames a part of the model, as transformers does when it loads an older checkpoint."""
    renamings = [each for each in get_model_conversion_mapping(model) if isinstance(each, WeightRenaming)]
    return lambda name: rename_source_key(name, renamings, [])[0]
