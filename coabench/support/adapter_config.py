"""What an adapter's config asks for: the methods and variants whose weights can be merged exactly, and no others."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.errors import UserError, first_line

if TYPE_CHECKING:
    from peft import PeftConfig

LORA = "LORA"
PREFIX = "base_model.model."
"""What PEFT puts before the names of a model's own modules."""
MERGED = frozenset(
    {LORA, "ADALORA", "C3A", "DEFT", "DELORA", "FOURIERFT", "GLORA", "GRALORA", "HIRA", "HRA", "IA3", "LN_TUNING"}
    | {"LOHA", "LOKR", "MISS", "OFT", "PEANUT", "PVERA", "RANDLORA", "ROAD", "SUPERTUNING", "TINYLORA"}
    | {"TRAINABLE_TOKENS", "UNILORA", "VBLORA", "VERA", "WAVEFT"}
)
"""PEFT's methods whose merged weights were seen to answer as the adapter itself does. Not among them: what adds to the
prompt or to activations, and what PEFT builds anew from the base's weights when it loads (PSOFT, OSF, SHIRA)."""

UNDERSTOOD = {
    *("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "init_lora_weights", "peft_type", "use_dora"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "task_type", "auto_mapping"),
    *("base_model_name_or_path", "revision", "peft_version", "inference_mode", "lora_dropout", "fan_in_fan_out"),
    *("loftq_config", "eva_config", "corda_config", "lora_ga_config", "megatron_core", "qalora_group_size"),
    *("modules_to_save", "trainable_token_indices", "target_parameters"),
}
"""Fields of a LoRA config that PEFT merges exactly, or that say nothing about how the weights are to be merged."""
PLAIN_INIT = (True, False, None, "gaussian", "orthogonal", "eva")
"""Ways of initialising LoRA that leave the base weights as they are."""

WHY = {
    "alora_invocation_tokens": "aLoRA acts on the tokens after its invocation alone, which no merged weight does",
    "bias": "biases were trained beside it",
    "init_lora_weights": "it was trained beside a changed base; PEFT writes plain LoRA where save_pretrained gets"
    " path_initial_model_for_weight_conversion",
    "lora_bias": "LoRA's own biases cannot be merged into layers that have none",
    "use_qalora": "QALoRA pools its input, which no merged weight does",
}


def peft_config(path: Path, raw: Mapping[str, Any]) -> PeftConfig:
    """Return the config of an adapter, as PEFT has it.

    Args:
        path: where it stands, for error messages.
        raw: what is in it.

    Raises:
        UserError: PEFT cannot read it, the method is not one of `MERGED`, or it asks for what cannot be merged.
    """
    from coabench.support.quantised import import_bitsandbytes

    import_bitsandbytes()
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING, __version__

    kind: Any = PEFT_TYPE_TO_CONFIG_MAPPING.get(raw.get("peft_type", ""))
    try:
        if kind is None:
            raise ValueError("no such method")
        with quiet():
            config: PeftConfig = kind.from_peft_type(**kind.check_kwargs(**raw))
    except Exception as error:  # it calls whatever the file names
        raise UserError(
            f"{path} cannot be read",
            expected=f"the config of an adapter, of a method that PEFT {__version__} has",
            found=f"peft_type {raw.get('peft_type')}: {first_line(error)}",
            remedy="fetch the adapter again, or pip install -U peft",
        ) from None
    method = method_of(config)
    if method not in MERGED:
        raise UserError(
            f"the adapter in {path.parent} was made by {method}, which cannot be merged into the weights exactly",
            expected=f"one of {', '.join(sorted(MERGED))}",
            found=f"peft_type {method}",
            remedy="merge it into its base with PEFT, where PEFT can, and give the result as the model",
        )
    known_fields = UNDERSTOOD if method == LORA else {field.name for field in dataclasses.fields(config)} - {"bias"}
    odd = {name: value for name, value in raw.items() if name not in known_fields and value}
    if odd.get("bias") == "none":
        del odd["bias"]
    if method == LORA:
        if raw.get("init_lora_weights", True) not in PLAIN_INIT:
            odd["init_lora_weights"] = raw["init_lora_weights"]
        numbers = {name: raw.get(name) for name in ("r", "lora_alpha")}
        odd |= {name: value for name, value in numbers.items() if not isinstance(value, int | float) or value <= 0}
    if odd:
        shown = [f"{name} = {value!r}" + (f" ({WHY[name]})" if name in WHY else "") for name, value in odd.items()]
        raise UserError(
            f"{path} asks for something that cannot be merged exactly: {', '.join(shown)}",
            expected=f"plain {method}",
            remedy="merge the adapter into its base with PEFT, where PEFT can, and give the result as the model",
        )
    config.inference_mode = True
    return config


def method_of(config: PeftConfig) -> str:
    """Return the name of the method, as PEFT spells it."""
    return str(getattr(config.peft_type, "value", config.peft_type))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep PEFT from warning of what is checked, or said in a note, by this package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# -- LoRA: which module has which rank and alpha ----------------------------------------------------------------------

_FACTOR = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?:embedding_)?(?P<part>[AB])(?:\.default)?(?:\.weight)?"
)


def lora_ranks(tensors: Mapping[str, Any]) -> dict[str, int]:
    """Return the rank of every module that LoRA updates, by the names and shapes of the adapter's tensors."""
    ranks = {}
    for name, tensor in tensors.items():
        match, shape = _FACTOR.fullmatch(name), tuple(tensor.shape)
        if match and len(shape) > 1:
            ranks[match["module"]] = int(shape["AB".index(match["part"])])
    return ranks


def pin_lora(config: Any, ranks: Mapping[str, int], today: Mapping[str, str]) -> None:
    """Say in a LoRA config which rank and alpha each module has, and which modules there are where names have changed.

    Patterns say it by the names in training, and in the order of training, which the file has lost.

    Args:
        config: a ``LoraConfig``, which is changed.
        ranks: the rank of every module, by its name in the file.
        today: its name in the file -> its name in the model.

    Raises:
        ValueError: patterns disagree on a module's alpha, none of them knows its rank, or a module has no tensors.
    """
    alphas = {}
    for module, rank in ranks.items():
        stated = set(_matching(config.rank_pattern, module)) or {config.r}
        if rank not in stated:
            raise ValueError(f"another rank than its config says: {module} has {rank}, not {_listed(stated)}")
        alpha = set(_matching(config.alpha_pattern, module)) or {config.lora_alpha}
        if len(alpha) > 1:
            raise ValueError(f"overlapping patterns give one module several alphas: {module} has {_listed(alpha)}")
        alphas[module] = alpha.pop()
    config.rank_pattern = {f"^{re.escape(today[module])}": rank for module, rank in ranks.items()}
    config.alpha_pattern = {f"^{re.escape(today[module])}": alpha for module, alpha in alphas.items()}
    targets = config.target_modules
    if all(_targeted(targets, name) for name in today.values()) or not all(_targeted(targets, name) for name in today):
        return
    for target in targets if isinstance(targets, set) else ():
        if not any(f".{module}".endswith(f".{target}") for module in ranks):
            raise ValueError(f"no weights for {target}")
    config.target_modules = "|".join(re.escape(name) for name in today.values())
    config.exclude_modules = config.layers_to_transform = config.layers_pattern = None


def _targeted(targets: str | Iterable[str] | None, module: str) -> bool:
    """Whether ``target_modules`` names a module: a text as a regular expression, others by how its name ends.

    Source: PEFT's documentation of ``LoraConfig``.
    """
    if isinstance(targets, str):
        return re.fullmatch(targets, module) is not None
    return any(f".{module}".endswith(f".{target}") for target in targets or ())


def _matching(pattern: Mapping[str, Any] | None, module: str) -> Iterable[Any]:
    """Return the values whose keys fit the end of a module's name, as PEFT matches them."""
    return [value for key, value in (pattern or {}).items() if re.match(rf"(.*\.)?({key})$", module)]


def _listed(values: set[Any]) -> str:
    return " or ".join(f"{value:g}" for value in sorted(values))
