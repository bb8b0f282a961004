"""One vector a text, as sentence-transformers makes it: prompt, tokens, pooling, the folder's modules, and how much is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from headway.errors import TaskError
from headway.tasks.limits import encode_inputs, token_limit
from headway.tasks.pooling import pool, to_unit_length
from headway.tasks.sentence_modules import UnitLength
from headway.tasks.sentence_transformer import SideFiles, read_side_files
from headway.tasks.task import Encoded, ModelFacts, TaskOptions

Pooled: TypeAlias = Literal["auto", "mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
"""How the tokens' vectors become a text's."""
Pooling: TypeAlias = Literal["none"] | Pooled


@dataclass(frozen=True, kw_only=True)
class VectorOptions(TaskOptions):
    """How a text becomes one vector."""

    pooling: Pooling = "auto"
    """What the folder's sentence-transformers files say (auto; the average where it has none), or a choice of one's own, after
    which none of the folder's modules follows: the average of the tokens (mean), the first or last one, the largest values, the
    sum divided by the root of the number of tokens, or an average in which later tokens count more. None: one vector a token."""
    normalize: bool | None = None
    """Scale each text's vector to length 1, last of all; by default what the folder says where pooling is auto, else not."""
    truncate_dim: int | None = None
    """How many values of each vector to keep, for models trained so that the first ones say most; by default what the folder says
    where pooling is auto, else all. Kusupati et al., 2022, arXiv:2205.13147."""
    prompt: str | None = None
    """What is put before each text; by default the folder's default prompt where pooling is auto."""
    prompt_name: str | None = None
    """The name of one of the folder's prompts, such as query or document, to put before each text."""

    def __post_init__(self) -> None:
        check_dimensions(self.truncate_dim)
        if self.pooling == "none" and self.normalize:
            raise TaskError(
                "normalize=True scales one vector a text, but pooling='none' gives one a token. Choose pooling='mean', "
                "'cls' or 'auto'."
            )
        if self.pooling == "none" and self.truncate_dim is not None:
            raise TaskError(
                "truncate_dim shortens one vector a text, but pooling='none' gives one a token. Choose pooling='mean', "
                "'cls' or 'auto'."
            )
        if self.pooling == "none" and self.overflow == "window":
            raise TaskError(
                "overflow='window' joins the windows' vectors into one, but pooling='none' gives one a token. Choose "
                "pooling='mean', 'cls' or 'auto', or overflow='truncate'."
            )
        if self.prompt is not None and self.prompt_name is not None:
            raise TaskError(
                f"prompt ({self.prompt!r}) and prompt_name ({self.prompt_name!r}) both say what to put before a text. "
                "Give one of them."
            )
        if not isinstance(self.prompt, str | None):
            raise TaskError(f"prompt is {self.prompt!r}, but it is put before each text, so it is a text itself. Use a string.")


@dataclass(frozen=True)
class Embedder:
    """What makes vectors with one model and one choice of options; from several threads if need be.

    ``side`` says how. The first ``skipped`` tokens, those of the prompt, are left out of the pooling.
    """

    facts: ModelFacts
    options: VectorOptions
    limit: int
    side: SideFiles
    prompt: str
    skipped: int = 0

    @property
    def is_pooled(self) -> bool:
        """Whether a text has one vector, and not one a token."""
        return self.options.pooling != "none"

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """The texts as the model reads them, each after the prompt."""
        prompted = [self.prompt + (text.lower() if self.side.lowercase else text) for text in texts]
        return encode_inputs(prompted, [None] * len(texts), facts=self.facts, limit=self.limit, options=self.options)

    def pooled(self, states_SD: np.ndarray, *, is_first: bool = True) -> np.ndarray:
        """The vector of one window of a text, (hidden,), before the modules; only the first one begins with the prompt."""
        return pool(states_SD, self.side.pooling, skipped=self.skipped if is_first else 0)

    def vector(self, windows: Sequence[np.ndarray], lengths: Sequence[int]) -> np.ndarray:
        """A text's vector: the average of its windows', each counting as many times as it has tokens, through the modules."""
        found = windows[0]
        if len(windows) > 1:
            found = np.average(np.stack(windows), axis=0, weights=lengths).astype(np.float32)
        for step in self.side.steps:
            found = step(found)
        found = found[: self.side.truncate_dim]
        return to_unit_length(found) if self.options.normalize else found


def prepare_embedder(facts: ModelFacts, options: VectorOptions) -> Embedder:
    """What makes vectors as the options and the folder's files say. A prompt that the folder has not is a ``TaskError``."""
    said = read_side_files(facts.folder) if options.pooling == "auto" or options.prompt_name is not None else SideFiles()
    side = _chosen(said, options)
    check_dimensions(side.truncate_dim)
    asked = (options.max_length, side.max_length)
    limit = min(token_limit(facts.tokenizer, facts.config, asked=length) for length in asked)
    prompt = _prompt(said, side, options)
    prompt = prompt.lower() if side.lowercase else prompt
    skipped = 0 if side.include_prompt or not prompt else _prompt_tokens(prompt, facts, limit)
    return Embedder(facts, options, limit, side, prompt, skipped)


def translate(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options of sentence-transformers' ``encode`` under the names that they have here.

    ``normalize_embeddings=False`` leaves vectors as the folder makes them there, so it is no choice here.
    """
    given = {name: value for name, value in values.items() if name != "normalize_embeddings"}
    return {**given, "normalize": True} if values.get("normalize_embeddings") else given


def check_dimensions(count: object) -> None:
    """Refuse a number of values to keep that is neither a positive whole number nor None."""
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise TaskError(
            f"truncate_dim is {count!r}, but it counts the values to keep. Use a whole number from 1 on, or None for all."
        )


def _chosen(said: SideFiles, options: VectorOptions) -> SideFiles:
    """What the folder says, as the options change it."""
    if options.pooling != "auto":
        names = ("mean",) if options.pooling == "none" else (options.pooling,)
        return SideFiles(pooling=names, truncate_dim=options.truncate_dim)
    steps = said.steps
    while options.normalize is False and steps and isinstance(steps[-1], UnitLength):
        steps = steps[:-1]
    kept = said.truncate_dim if options.truncate_dim is None else options.truncate_dim
    return replace(said, steps=steps, truncate_dim=kept)


def _prompt(said: SideFiles, side: SideFiles, options: VectorOptions) -> str:
    if options.prompt is not None:
        return options.prompt
    if options.prompt_name is None:
        return side.default_prompt
    if options.prompt_name not in said.prompts:
        raise TaskError(
            f"prompt_name is {options.prompt_name!r}, but the model's prompts are {', '.join(said.prompts)}. Name one of them, "
            "or give the prompt itself: prompt='query: '."
        )
    return str(said.prompts[options.prompt_name])


def _prompt_tokens(prompt: str, facts: ModelFacts, limit: int) -> int:
    """How many tokens a prompt makes at the beginning of a text, the frame's before it included; sentence-transformers' count."""
    (tokens,) = facts.tokenizer.encode_sequences([prompt], None, max_length=limit)
    ends = bool(len(tokens)) and tokens.ids[-1] in facts.tokenizer.all_special_ids
    return len(tokens) - ends
