"""From the rows that people give to what a model learns, or is measured on: by its task, or as they were tokenised before."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headway.architecture import ModelConfig
from headway.checkpoints import locate
from headway.errors import DataError
from headway.evaluation.measuring import evaluation_of
from headway.evaluation.rows import find_columns
from headway.neural.model import EncoderModel
from headway.settings.training import AllTokens
from headway.tasks import Example, ModelFacts, Task
from headway.tasks.note import noted_options, with_task
from headway.tasks.references import are_generic
from headway.text import Tokenizer
from headway.training.labelled import Measurable, RowReader, tells_references
from headway.training.rows import read_rows
from headway.training.sources import FileRows


@dataclass(frozen=True)
class Reading:
    """How rows are read for one model."""

    model: EncoderModel
    task: Task
    tokenizer: Tokenizer | None
    max_length: int | None
    all_tokens: AllTokens = "no"

    def examples(self, rows: Any, name: str, *, labelled: bool) -> list[Example]:
        """What is learnt from the rows; tokenised ones may lack labels, unless they have to be ``labelled``."""
        if self.is_raw(rows):
            return self._reader(rows, name).examples()
        return self._tokenised(rows, name, labelled=labelled)

    def measurable(self, rows: Any, name: str, *, labelled: bool = True) -> Measurable:
        """Rows on which the model is measured or, where they need no labels, used."""
        if not self.is_raw(rows):
            return Measurable(self._tokenised(rows, name, labelled=labelled))
        reader = self._reader(rows, name)
        return replace(reader, labelled=labelled or tells_references(reader.rows, self.task, reader.facts)).measurable()

    def is_raw(self, rows: Any) -> bool:
        """Whether the rows hold the task's own columns, which are yet to be tokenised."""
        return self.tokenizer is not None and isinstance(rows[0], Mapping) and "input_ids" not in rows[0]

    def config_for(self, rows: Any) -> ModelConfig:
        """The model's configuration with what rows that it will learn tell of it: its labels' names, and how they are read."""
        training = self.task.training
        if training is not None and training.objective is not None:
            return self.model.config
        config = self._with_labels_of(rows)
        if training is None or self.tokenizer is None or not self.is_raw(rows):
            return config
        _, columns = find_columns(self.task, evaluation_of(self.task), rows[0], {})
        references = ({role: row.get(column) for role, column in columns.items()} for row in _each(rows))
        told = training.options(references, ModelFacts(tokenizer=self.tokenizer, config=config))
        return with_task(config, self.task.name, {**noted_options(config, self.task.name), **told}) if told else config

    def _with_labels_of(self, rows: Any) -> ModelConfig:
        """The model's configuration with the data's names for its labels, where they have none of their own yet.

        Where the data has other than as many labels as the model, that is a ``DataError``.
        """
        config, training = self.model.config, self.task.training
        names = list(config.id2label.values())
        if training is None or not self.is_raw(rows) or not are_generic(names) or config.problem_type == "regression":
            return config
        evaluation = evaluation_of(self.task)
        _, columns = find_columns(self.task, evaluation, rows[0], {})
        told = _told_names(rows, columns)
        if not told:
            references = [{role: row.get(column) for role, column in columns.items()} for row in _each(rows)]
            if not _are_words(references):
                return config
            told = training.labels(references, config.problem_type).names
        if len(told) != len(names):
            raise DataError(
                f"The data has {len(told)} labels ({', '.join(told)}), but the model has outputs for {len(names)}. Load it with "
                f"num_labels={len(told)}, or better with their names: id2label={dict(enumerate(told))}."
            )
        return config.replace(id2label=dict(enumerate(told)))

    def _tokenised(self, rows: Any, name: str, *, labelled: bool) -> list[Example]:
        examples = read_rows(rows, head=self.model.head_name, max_length=self._limit())
        unlabelled = next((index for index, example in enumerate(examples) if example.target is None), None)
        if labelled and unlabelled is not None:
            raise DataError(
                f"Row {unlabelled} of {name} has no label, so nothing can be learnt from it. Add a 'labels' or 'label' column."
            )
        return examples

    def _reader(self, rows: Any, name: str) -> RowReader:
        assert self.tokenizer is not None
        training = self.task.trainable()
        folder = None if training.objective is None else folder_of(self.model)
        facts = ModelFacts(tokenizer=self.tokenizer, config=self.model.config, folder=folder)
        name, first = (rows.file, 1) if isinstance(rows, FileRows) else (name, 0)
        given = training.arranged(_each(rows))
        return RowReader(self.task, facts, given, name, self.max_length, all_tokens=self.all_tokens, first=first)

    def _limit(self) -> int:
        limits = [self.model.architecture.encoder.max_tokens, self.max_length or math.inf]
        if self.tokenizer is not None:
            limits.append(self.tokenizer.model_max_length)
        return int(min(limits))


def folder_of(model: EncoderModel) -> Path | None:
    """The folder that a model came from, which says more of it than its configuration; None for a new model."""
    return locate(model.name_or_path, local_files_only=True) if model.name_or_path else None


def _each(rows: Any) -> Sequence[Mapping[str, Any]]:
    return rows if isinstance(rows, list) else [rows[index] for index in range(len(rows))]


def _told_names(rows: Any, columns: Mapping[str, str]) -> tuple[str, ...]:
    """What a data set of the library ``datasets`` says that its numbers mean."""
    features = getattr(rows, "features", None)
    if not isinstance(features, Mapping):
        return ()
    for column in columns.values():
        feature = features.get(column)
        names = getattr(getattr(feature, "feature", feature), "names", None)
        if names:
            return tuple(names)
    return ()


def _are_words(references: Sequence[Mapping[str, Any]]) -> bool:
    """Whether labels are names rather than numbers, by the first row that has one."""
    for reference in references:
        value = reference.get("label", reference.get("labels"))
        value = value[0] if isinstance(value, list | tuple) and value else value
        if value is not None and not (isinstance(value, list | tuple) and not value):
            return isinstance(value, str) and not value.lstrip("+-").replace(".", "", 1).isdecimal()
    return False
