"""AdamW that spends nothing on rows of the token table that no token touched, and yet ends where AdamW over all rows does.

A step touches a few hundred of tens of thousands of rows, but AdamW moves them all: a row's momentum and weight decay go on after
its last token. Here those steps are made up for in one go (``missed_steps``) when the row is next read: before it is looked up,
where the model's weights are asked for, and at the end. Until then the table holds the row as its last token left it. To ask for
the weights changes nothing: a checkpoint holds the table as it is, besides the weights as they are read, so that a resumed run is
bit-equal wherever it was interrupted.

Shapes: V rows, E width, R rows at hand.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from headway.neural.pretrained import PretrainedModel
from headway.training.missed_steps import ROWS, Decays, Missed, missed_since, record

WORTH_IT = 1 << 20
"""Weights that a table has to have for the bookkeeping to cost less than moving all of them."""
SETTLED_EVERY = 4096
"""Steps after which all rows are brought up to date, so that what is remembered of steps stays small."""
AT_ONCE = 4096
"""Rows that are brought up to date at once where it is many."""


class TouchedRowsAdamW(torch.optim.AdamW):
    """AdamW over all weights, but for a token table only over the rows that have a gradient.

    From now until ``finish`` the table's gradients are sparse.
    """

    def __init__(self, params: Iterable[Any], *, table: nn.Embedding, **settings: Any) -> None:
        super().__init__(params, **settings)
        self.table = table
        self.group = next(group for group in self.param_groups if any(one is table.weight for one in group["params"]))
        table.sparse = True
        self.hooks = [
            table.register_forward_pre_hook(self._before_lookup),
            table.register_state_dict_post_hook(partial(self._in_state_dict)),
        ]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of all weights that have gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        gradient = self.table.weight.grad
        if gradient is None:
            super().step()
        elif gradient.is_sparse:
            self.table.weight.grad = None
            super().step()
            self.table.weight.grad = gradient
            self._step_rows(gradient.coalesce())
        else:
            self.settle()
            super().step()
            self._start(int(self._state()["step"].item()))
        return loss

    @torch.no_grad()
    def settle(self) -> None:
        """Bring all rows up to date."""
        state = self._state()
        for rows in self._behind(torch.arange(len(self.table.weight))).split(AT_ONCE):
            self._catch_up(rows)
        self._start(int(state["step"].item()))

    def finish(self) -> None:
        """Bring all rows up to date, and leave the table as it was found."""
        self.settle()
        self.table.sparse = False
        for hook in self.hooks:
            hook.remove()
        self.hooks = []

    def _step_rows(self, gradient: Tensor) -> None:
        rows, values_RE, state = gradient.indices()[0], gradient.values(), self._state()
        self._catch_up(self._behind(rows))
        weight, rate, decay = self.table.weight, float(self.group["lr"]), float(self.group["weight_decay"])
        at_hand = [table[rows] for table in (weight, state["exp_avg"], state["exp_avg_sq"])]
        decays = self._decays()
        adamw(
            [at_hand[0]], [values_RE], [at_hand[1]], [at_hand[2]], [], [state["step"]], fused=True, amsgrad=False,
            beta1=decays.beta1, beta2=decays.beta2, lr=rate, weight_decay=decay, eps=decays.eps, maximize=False,
        )  # fmt: skip
        for table, changed in zip((weight, state["exp_avg"], state["exp_avg_sq"]), at_hand, strict=True):
            table.index_copy_(0, rows, changed)
        step = int(state["step"].item())
        state["row_step"][rows] = step
        last = step - int(state["first_step"])
        record(state["sums"].numpy(), last, step=step, rate=rate, weight_decay=decay, decays=decays)
        if last == SETTLED_EVERY:
            self.settle()

    def _catch_up(self, rows: Tensor) -> None:
        """Take the steps that these rows have missed."""
        if not len(rows):
            return
        state, weight = self._state(), self.table.weight
        missed, first_RE, second_RE = self._missed(rows), state["exp_avg"][rows], state["exp_avg_sq"][rows]
        weight.index_copy_(0, rows, missed.weights(weight[rows], first_RE, second_RE))
        state["exp_avg"].index_copy_(0, rows, first_RE.mul_(missed.first))
        state["exp_avg_sq"].index_copy_(0, rows, second_RE.mul_(missed.second))
        state["row_step"][rows] = int(state["step"].item())

    def _missed(self, rows: Tensor) -> Missed:
        state = self._state()
        first = int(state["first_step"])
        columns_R = (state["row_step"][rows] - first).numpy()
        return missed_since(state["sums"].numpy(), columns_R, last=int(state["step"].item()) - first, decays=self._decays())

    def _behind(self, rows: Tensor) -> Tensor:
        state = self._state()
        return rows[state["row_step"][rows] < int(state["step"].item())]

    def _decays(self) -> Decays:
        beta1, beta2 = self.group["betas"]
        return Decays(float(beta1), float(beta2), float(self.group["eps"]))

    def _state(self) -> dict[str, Any]:
        """What is known of the table, begun anew or with what a checkpoint held.

        ``rows`` is the table itself; where a checkpoint put another in its place, the table takes on what that one holds.
        """
        weight = self.table.weight
        state: dict[str, Any] = self.state[weight]
        if "exp_avg" not in state:
            with torch.inference_mode(False):  # an evaluation may be the first to ask
                state |= {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(weight), "exp_avg_sq": torch.zeros_like(weight)}
        if "row_step" not in state:
            self._start(int(state["step"].item()))
        if state["rows"].data_ptr() != weight.data_ptr():
            weight.data.copy_(state["rows"])
            state["rows"] = weight.data
        return state

    def _start(self, step: int) -> None:
        """Remember steps from this one on, all rows being up to date."""
        state = self.state[self.table.weight]
        with torch.inference_mode(False):
            state["row_step"] = torch.full((len(self.table.weight),), step)
            state["first_step"] = torch.tensor(step)
            state["sums"] = torch.zeros(ROWS, SETTLED_EVERY + 1, dtype=torch.float64)
            state["sums"][-1, 0] = 1.0
            state["rows"] = self.table.weight.data

    def _before_lookup(self, table: nn.Module, given: tuple[Tensor, ...]) -> None:
        with torch.no_grad():
            self._catch_up(self._behind(given[0].sort().values.unique_consecutive()))

    def _in_state_dict(self, table: nn.Module, found: dict[str, Any], prefix: str, metadata: Mapping[str, Any]) -> None:
        """The table as it is read, in place of the one that is behind."""
        with torch.no_grad():
            state, settled = self._state(), self.table.weight.detach().clone()
            for rows in self._behind(torch.arange(len(settled))).split(AT_ONCE):
                settled[rows] = self._missed(rows).weights(settled[rows], state["exp_avg"][rows], state["exp_avg_sq"][rows])
            found[f"{prefix}weight"] = settled


def made_dense(optimizer: torch.optim.Optimizer) -> None:
    """Let another optimiser go on from a state that this one saved: what was put off is done."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            state = optimizer.state.get(weight, {})
            if isinstance(optimizer, TouchedRowsAdamW) or "row_step" not in state:
                continue
            beta1, beta2 = group["betas"]
            age_V1 = (state["step"].long() - state["row_step"]).double()[:, None]
            state["exp_avg"].mul_((beta1**age_V1).float())
            state["exp_avg_sq"].mul_((beta2**age_V1).float())
            for name in ("row_step", "first_step", "sums", "rows"):
                del state[name]


def touched_table(model: nn.Module, settings: Mapping[str, Any]) -> nn.Embedding | None:
    """The token table of which a step touches few rows; None where AdamW over all rows is meant, or costs no more.

    That is so on a GPU, among several processes, where the head scores the vocabulary with the table, where the table is small or
    not trained, and with settings of AdamW that change how momentum is used.
    """
    if not isinstance(model, PretrainedModel):
        return None
    table = model.get_input_embeddings()
    if type(table) is not nn.Embedding or not table.weight.requires_grad or table.weight.device.type != "cpu":
        return None
    beta1, beta2 = settings["betas"]
    others = set(settings) - {"betas", "eps", "fused"}
    is_plain = table.weight.dtype == torch.float32 and table.max_norm is None and not table.scale_grad_by_freq and not others
    is_read_otherwise = model.get_output_embeddings() is not None
    several = torch.distributed.is_available() and torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1
    if not is_plain or is_read_otherwise or several or not Decays(beta1, beta2, settings["eps"]).fits:
        return None
    return table if table.weight.numel() >= WORTH_IT else None
