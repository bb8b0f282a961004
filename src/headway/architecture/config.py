"""A checkpoint's ``config.json``, kept whole: what Headway does not read is written back unchanged."""

import copy
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from headway.core.config import closest
from headway.core.files import atomic_file
from headway.errors import ConfigError

LABEL_SETTINGS = ("num_labels", "id2label", "label2id")
PROBLEMS = ("single_label_classification", "multi_label_classification", "regression")

COMMON: Mapping[str, Any] = MappingProxyType(
    {
        "add_cross_attention": False,
        "architectures": None,
        "dtype": None,
        "is_decoder": False,
        "is_encoder_decoder": False,
        "output_attentions": False,
        "output_hidden_states": False,
        "problem_type": None,
        "return_dict": True,
        "tie_word_embeddings": True,
        "torch_dtype": None,
    }
)
"""Settings that models of every family have, with what they are where a file says nothing."""


class ModelConfig:
    """The settings of one model by their Hub names: ``config.hidden_size``, ``config["hidden_size"]``.

    Labels are derived: ``id2label`` has integer keys, ``num_labels`` counts them. The object does not change; ``replace`` makes
    another. ``defaults`` are the family's: attributes read them where the file says nothing. ``aliases`` lead from other
    spellings to the settings that the family reads: DistilBERT's ``hidden_size`` is its ``dim``.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        defaults: Mapping[str, Any] = COMMON,
        aliases: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        if not values.get("model_type") or not isinstance(values["model_type"], str):
            raise ConfigError(
                "config.json names no model_type, so the architecture is unknown. "
                'Add one, for example "model_type": "bert", or choose a folder that transformers or Headway saved.'
            )
        problem = values.get("problem_type")
        if problem is not None and problem not in PROBLEMS:
            raise ConfigError(
                f"problem_type is {problem!r}, which does not say what outputs mean. Use {', '.join(PROBLEMS)} or None."
            )
        vars(self).update(_values=copy.deepcopy(dict(values)), _defaults={**COMMON, **defaults}, _aliases=dict(aliases))

    @classmethod
    def from_json_file(cls, path: str | Path) -> "ModelConfig":
        """The configuration in a file."""
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(f"{path} is not valid JSON ({error}). Download or save the model again.") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{path} holds a JSON {type(values).__name__} where an object of settings belongs.")
        return cls(values)

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, **settings: Any) -> "ModelConfig":
        """As ``AutoConfig.from_pretrained``: peft asks a configuration's class for that of the model it adapted."""
        automatic = import_module("headway.checkpoints.configuration").AutoConfig
        made: ModelConfig = automatic.from_pretrained(name_or_path, **settings)
        return made

    def __getattr__(self, name: str) -> Any:
        if name in ("_values", "_defaults", "_aliases") or name.startswith("__"):
            raise AttributeError(name)
        for place in (self._values, self._defaults):
            for spelling in (name, self._aliases.get(name)):
                if spelling in place:
                    return copy.deepcopy(place[spelling])
        known = {*self._values, *self._defaults, *self._aliases}
        raise AttributeError(f"This {self._values['model_type']} configuration has no setting {name!r}.{closest(name, known)}")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(
            f"A configuration does not change. Use config.replace({name}=…), which makes another; for a model's own: "
            f"model.config = model.config.replace({name}=…)."
        )

    def __setitem__(self, name: str, value: Any) -> NoReturn:
        self.__setattr__(name, value)

    def update(self, changes: Mapping[str, Any]) -> NoReturn:
        """Refused: where transformers changes a configuration, ``replace`` makes another."""
        wanted = ", ".join(f"{name}=…" for name in changes)
        raise AttributeError(f"A configuration does not change. Use config.replace({wanted}), which makes another.")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._values, *self._defaults, *self._aliases})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ModelConfig({json.dumps(self.to_dict(), indent=2)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self._values, self._defaults, self._aliases)

    def get(self, name: str, default: Any = None) -> Any:
        """A setting, or the default where it is absent."""
        return self._values.get(name, default)

    @property
    def id2label(self) -> dict[int, str]:
        """Label names by class index; ``LABEL_0`` and so on where the file names none."""
        if named := self._values.get("id2label"):
            return _labels(named)
        return {index: f"LABEL_{index}" for index in range(int(self._values.get("num_labels", 2)))}

    @property
    def label2id(self) -> dict[str, int]:
        """Class index by label name."""
        return {label: index for index, label in self.id2label.items()}

    @property
    def num_labels(self) -> int:
        """How many labels the head has."""
        return len(self.id2label)

    @property
    def problem_type(self) -> str | None:
        """``regression``, ``single_label_classification``, ``multi_label_classification``; None where the file says nothing."""
        found = self._values.get("problem_type")
        return None if found is None else str(found)

    def replace(self, **changes: Any) -> "ModelConfig":
        """Another configuration with these settings changed; label settings stay consistent with one another.

        ``id2label`` and ``label2id`` say the same, or are a ``ConfigError``; ``num_labels`` alone gives the labels new names only
        where their number changes.
        """
        changes = {self._spelling(name): value for name, value in changes.items()}
        values = self._values | {name: value for name, value in changes.items() if name not in LABEL_SETTINGS}
        labels = self._changed_labels(**{name: value for name, value in changes.items() if name in LABEL_SETTINGS})
        if labels is not None:
            values["id2label"] = {str(index): label for index, label in labels.items()}
            values["label2id"] = {label: index for index, label in labels.items()}
            values.pop("num_labels", None)
        return ModelConfig(values, defaults=self._defaults, aliases=self._aliases)

    def known_to(self, defaults: Mapping[str, Any], aliases: Mapping[str, str]) -> "ModelConfig":
        """The same settings with a family's defaults and spellings."""
        return ModelConfig(self._values, defaults=defaults, aliases=aliases)

    def to_dict(self) -> dict[str, Any]:
        """The settings ready for JSON; changing them changes nothing here."""
        return copy.deepcopy(self._values)

    def to_json_string(self) -> str:
        """The settings as they are written to ``config.json``."""
        return json.dumps(self._values, indent=2, sort_keys=True) + "\n"

    def to_json_file(self, path: str | Path) -> None:
        """Write the settings to a file, which holds all of them or what it held before."""
        with atomic_file(path) as draft:
            draft.write_text(self.to_json_string(), encoding="utf-8")

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``config.json`` into a folder, which need not exist yet. ``model.save_pretrained`` writes the weights as well."""
        self.to_json_file(Path(folder) / "config.json")

    def _spelling(self, name: str) -> str:
        """A setting's name as this configuration has it: its own where the file or the family knows that."""
        return name if name in self._values or name in self._defaults else self._aliases.get(name, name)

    def _changed_labels(
        self,
        *,
        num_labels: int | None = None,
        id2label: Mapping[Any, str] | None = None,
        label2id: Mapping[str, int] | None = None,
    ) -> dict[int, str] | None:
        """All labels after such a change; None where there is none."""
        if id2label is None and label2id is not None:
            id2label = {index: label for label, index in label2id.items()}
        if id2label is None:
            if num_labels is None or num_labels == self.num_labels:
                return None
            return {index: f"LABEL_{index}" for index in range(num_labels)}
        labels = _labels(id2label)
        if label2id is not None and {index: label for label, index in label2id.items()} != labels:
            raise ConfigError(
                f"id2label says {labels} and label2id {dict(label2id)}, which do not agree. Leave label2id "
                "out: it follows from id2label."
            )
        if list(labels) != list(range(num_labels or len(labels))):
            raise ConfigError(
                f"id2label names the classes {list(labels)}, but a head with {num_labels or len(labels)} labels has the classes "
                f"0 to {(num_labels or len(labels)) - 1}. Give each class one name."
            )
        return labels


def _again(values: Mapping[str, Any], defaults: Mapping[str, Any], aliases: Mapping[str, str]) -> ModelConfig:
    return ModelConfig(values, defaults=defaults, aliases=aliases)


def _labels(named: Any) -> dict[int, str]:
    """Label names by class index, in the order of the classes."""
    try:
        return dict(sorted((int(index), str(label)) for index, label in named.items()))
    except (AttributeError, ValueError) as error:
        raise ConfigError(
            f'id2label is {named!r}, but it gives a name to each class index, as in {{"0": "NEGATIVE"}}. Correct it.'
        ) from error
