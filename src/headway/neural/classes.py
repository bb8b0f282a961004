"""The classes of models, ``BertForMaskedLM`` and its like: one for each family and head, made from the family's file."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial, update_wrapper
from inspect import Parameter
from pathlib import Path
from types import FunctionType, MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from headway.architecture import Architecture, ModelConfig, weight_shapes
from headway.architecture.family import CLASS_SUFFIXES, HeadName
from headway.checkpoints.options import check_family
from headway.errors import ConfigError
from headway.families import family
from headway.families._classes import KnownClass
from headway.neural.hub_names import hub_names, own_parts, part, prefix
from headway.neural.model import EncoderModel
from headway.neural.new_weights import fill, without_values
from headway.neural.targets import accepted


class FamilyModel(EncoderModel):
    """A model of one family with one head; every model is of a class made from this one.

    ``BertForMaskedLM(config)`` has new weights and, like all new modules, is in training mode. ``weights`` are arrays by
    Headway's names; those not given are made anew.
    """

    model_type: ClassVar[str]
    class_head: ClassVar[HeadName]
    hub_parts: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        config: ModelConfig,
        architecture: Architecture | None = None,
        *,
        add_pooling_layer: bool = True,
        weights: Mapping[str, np.ndarray] = MappingProxyType({}),
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> None:
        check_config(config, type(self))
        parts = architecture or family(self.model_type).architecture(config, self.class_head)
        if not add_pooling_layer:
            parts = without_pooler(parts, type(self))
        with without_values():
            super().__init__(config, parts, self.class_head)
        fill(self, weights, new=family(self.model_type).new_weights(config), dtype=dtype, device=device)

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, *, config: ModelConfig | str | Path | None = None, **keywords: Any) -> Any:
        """As ``AutoModel.from_pretrained``, for this class: a checkpoint of another family is a ``ConfigError``."""
        from headway.neural.loading import load_model

        return load_model(name_or_path, head=cls.class_head, config=config, keywords=keywords, wanted=cls)

    @classmethod
    def from_config(cls, config: ModelConfig, **keywords: Any) -> "FamilyModel":
        """As ``AutoModel.from_config``, for this class."""
        from headway.neural.loading import new_model

        return new_model(config, head=cls.class_head, keywords=keywords, wanted=cls)

    @property
    def base_model(self) -> "FamilyModel":
        """The encoder as a model of its own that shares all parameters with this one; a base model is its own.

        Where the Hub counts the pooler to the base model, as for BERT, it has that too.
        """
        if self.class_head == "base":
            return self
        counted = any(name.startswith(prefix(self)) for name in hub_names(self).get("pooler.dense.weight", ()))
        return _sharing(self, replace(self.architecture, head=None, pooler=self.architecture.pooler if counted else None))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.hub_parts and isinstance(value, nn.Module | nn.Parameter):
            raise ConfigError(
                f"A {type(self).__name__} cannot be given another {name!r}: the Hub calls a part of it so, and what is put there "
                "is never used. For another number of labels load with num_labels; to change a part by hand use Headway's "
                f"names, {', '.join(own_parts(self))}."
            )
        super().__setattr__(name, value)


def check_config(config: object, wanted: type[FamilyModel]) -> None:
    """Refuse what is no configuration, or one of another family."""
    if not isinstance(config, ModelConfig):
        raise ConfigError(
            f"{wanted.__name__} needs a configuration of Headway's, but got a {type(config).__module__}.{type(config).__name__}. "
            f"Make one with AutoConfig.for_model({wanted.model_type!r}, …) or AutoConfig.from_pretrained(…)."
        )
    check_class(config, wanted, place="This configuration")


def check_class(config: ModelConfig, wanted: type[FamilyModel], *, place: object) -> None:
    """Refuse a checkpoint that is of another family than the class; ``place`` says where it is from."""
    suffix = CLASS_SUFFIXES[wanted.class_head]
    check_family(config, family(wanted.model_type), wanted=wanted.__name__, place=place, suffix=suffix)


def without_pooler(architecture: Architecture, wanted: type[FamilyModel]) -> Architecture:
    """The base model that ends with the tokens."""
    if wanted.class_head != "base":
        raise ConfigError(
            f"add_pooling_layer=False is for base models; the head of a {wanted.__name__} decides whether it has a pooler. "
            "Leave it out."
        )
    return replace(architecture, pooler=None)


@cache
def model_class(model_type: str, head: HeadName) -> type[FamilyModel]:
    """The class of a family's models with this head, under the name that transformers has for it."""
    found = family(model_type)
    architecture = found.architecture(found.config(), head)  # refuses a head that the family does not have
    hub_parts = _hub_parts(model_type, head, architecture)
    members: dict[str, Any] = {name: property(partial(_part, name=name)) for name in hub_parts}
    members |= {
        "model_type": model_type,
        "class_head": head,
        "hub_parts": hub_parts,
        "forward": _forward(accepted(architecture.head)),
        "__module__": "headway",
        "__doc__": f"A {model_type} model with the head {head!r}." if head != "base" else f"A {model_type} encoder.",
    }
    return type(found.class_names[head], (FamilyModel,), members)


def known_class(known: KnownClass) -> type[FamilyModel]:
    """The class under the name that people know."""
    return model_class(known.family.model_type, known.head)


def _sharing(model: FamilyModel, architecture: Architecture) -> FamilyModel:
    """A base model of this architecture whose parts are those of another model."""
    cls = model_class(model.model_type, "base")
    base = cls.__new__(cls)
    with without_values():
        EncoderModel.__init__(base, model.config, architecture, "base")
    for name, _ in list(base.named_children()):
        setattr(base, name, model.get_submodule(name))
    base.training, base.gradient_checkpointing, base.name_or_path = (
        model.training,
        model.gradient_checkpointing,
        model.name_or_path,
    )
    return base


def _forward(targets: tuple[str, ...]) -> FunctionType:
    """The method of all models with a signature that names these targets: trainers look there for what a model takes."""
    whole = EncoderModel.forward
    forward = FunctionType(whole.__code__, whole.__globals__, whole.__name__, whole.__defaults__, whole.__closure__)
    update_wrapper(forward, whole)
    forward.__kwdefaults__ = whole.__kwdefaults__
    signature = inspect.signature(whole)
    taken = [taken for taken in signature.parameters.values() if taken.kind is not Parameter.VAR_KEYWORD]
    taken += [Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=torch.Tensor | None) for name in targets]
    vars(forward)["__signature__"] = signature.replace(parameters=taken)
    return forward


def _hub_parts(model_type: str, head: HeadName, architecture: Architecture) -> tuple[str, ...]:
    """The first words of the Hub's names, apart from those that are ours as well: ``bert`` and ``classifier``."""
    found, shapes = family(model_type), weight_shapes(architecture)
    table = found.weight_names(found.config(), head)
    theirs = {name.partition(".")[0] for ours in shapes for name in table.names_of(ours, has_head=head != "base")}
    return tuple(sorted(theirs - {name.partition(".")[0] for name in shapes}))


def _part(model: FamilyModel, *, name: str) -> Any:
    return model.base_model if f"{name}." == prefix(model) else part(model, name)
