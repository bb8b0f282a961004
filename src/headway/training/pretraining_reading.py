"""How texts to learn from are made of a corpus, and what is held out of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from headway.errors import ConfigError
from headway.settings.pretraining import PretrainSettings
from headway.text import Tokenizer
from headway.training.corpus import Corpus
from headway.training.masking import Masking
from headway.training.pieces import Examples
from headway.training.pretraining_objective import PretrainingObjective


@dataclass(frozen=True)
class Reading:
    """How batches are made of the corpus. What is masked follows from seed, epoch and batch number alone."""

    settings: PretrainSettings
    objective: PretrainingObjective
    corpus: Corpus
    tokenizer: Tokenizer

    def examples(self, limit: int | None) -> Callable[[bool, int], Examples]:
        """The texts to learn from, or those held out, in an epoch; ``limit`` is the longest text that the model reads."""
        settings = self.settings
        length = settings.max_length or limit or settings.max_position_embeddings
        held_out = np.zeros(len(self.corpus.ends), dtype=bool)
        count = round(settings.held_out * len(held_out))
        held_out[np.random.default_rng([settings.seed, 1]).permutation(len(held_out))[:count]] = True

        @lru_cache(maxsize=2)
        def made(is_held_out: bool, epoch: int) -> Examples:
            random = np.random.default_rng([settings.seed, 2 + is_held_out, epoch])
            return self.objective.examples(self.corpus, held_out if is_held_out else ~held_out, length, random)

        return lambda is_held_out, epoch: made(is_held_out, epoch if self.objective.changes and not is_held_out else 0)

    @property
    def masking(self) -> Masking:
        """How tokens are hidden."""
        settings, objective, tokenizer = self.settings, self.objective, self.tokenizer
        if tokenizer.mask_token_id is None:
            raise ConfigError(
                "The tokenizer has no mask token, so nothing can be hidden. Use one with it, as headway tokenizer makes."
            )
        return Masking(
            probability=settings.mlm_probability,
            mask_id=tokenizer.mask_token_id,
            vocab_size=len(tokenizer),
            special_ids=tuple(sorted(tokenizer.all_special_ids)),
            masked=objective.masked if settings.mask_share is None else settings.mask_share,
            replaced=objective.replaced if settings.random_share is None else settings.random_share,
            unit=settings.masking,
        )
