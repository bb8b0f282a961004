"""The estimate of memory, beside what autograd keeps."""

import pytest
import torch

from headway.core.batching import TokenSequence
from headway.families import family
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.training.batch import text_batch, text_loss
from headway.training.estimate import Estimate, activation_bytes, available, estimate, said
from headway.training.step import mixed_precision

CPU = torch.device("cpu")
SHAPE = {"hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": 256}
FAMILIES = {
    "bert": {"intermediate_size": 384},
    "modernbert": {"intermediate_size": 160},
    "deberta-v2": {
        "intermediate_size": 384, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False,
        "max_relative_positions": -1, "position_buckets": 32, "share_att_key": True, "norm_rel_ebd": "layer_norm",
    },
}  # fmt: skip


def kept(model, lengths, *, low):
    """Bytes that autograd keeps of a batch, the weights themselves aside."""
    batch = text_batch([TokenSequence([5] * length) for length in lengths], [0] * len(lengths), device=CPU)
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    seen = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), mixed_precision(CPU, bf16=low)():
        loss = text_loss(model, batch)
    del loss
    return sum(seen.values())


@pytest.mark.parametrize("low", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("lengths", [(17, 13, 11) * 9, (201, 190, 199)], ids=["short", "long"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_estimate_is_no_less_and_at_most_1_6_times_what_is_kept(name, lengths, low):
    torch.manual_seed(0)
    config = family(name).config(**{"vocab_size": 50400} | SHAPE | FAMILIES[name])
    model = AutoModelForSequenceClassification.from_config(config).train()
    found = activation_bytes(model.architecture, lengths, low=low) / kept(model, lengths, low=low)
    assert 0.95 < found < 1.6


def test_checkpointing_and_kernels_that_hold_no_scores_need_less(tiny_config):
    architecture = AutoModelForSequenceClassification.from_config(tiny_config).architecture
    plain = activation_bytes(architecture, [31] * 7, low=False)
    assert activation_bytes(architecture, [31] * 7, low=False, checkpointing=True) < plain * 0.7
    assert activation_bytes(architecture, [31] * 7, low=False, fused=True) < plain
    assert activation_bytes(architecture, [31] * 14, low=False) == pytest.approx(2 * plain)


def test_weights_gradients_and_what_the_optimiser_keeps_are_counted(tiny_config):
    model = AutoModelForSequenceClassification.from_config(tiny_config)
    every = sum(weight.numel() for weight in model.parameters())
    frozen = sum(model.get_parameter(name).numel() for name in model.freeze("embeddings"))
    for optim, bytes_each in (("adamw_torch", 8), ("sgd", 0), ("adagrad", 4)):
        found = estimate(model, [5], TrainingArguments(optim=optim), low=False, checkpointing=False)
        assert found.weights == 4 * every
        assert found.gradients == 4 * (every - frozen)
        assert found.optimizer == bytes_each * (every - frozen)
        assert found.to_come == found.total - 4 * every


FITS = Estimate(1e9, 2e9, 3e9, 4e9)


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (None, "Memory: about 10.00 GB (weights 1.00, gradients 2.00, optimiser 3.00, largest batch 4.00)."),
        (20e9, "largest batch 4.00); 20.00 GB more than the weights take are free."),
        (7e9, "only 7.00 GB are free beside the weights, so it will probably not fit. Use a smaller per_device_train_batch_size"),
        (4e9, "so it will probably not fit. Use optim='adafactor', freeze='embeddings', or a smaller model."),
    ],
)
def test_the_estimate_is_said_beside_what_there_is(room, expected):
    (line,) = said(FITS, room)
    assert expected in line


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_what_is_free_is_the_least_of_machine_and_container(tmp_path):
    assert available(CPU, root=tmp_path) is None
    write(tmp_path, proc__meminfo="MemTotal: 9000 kB\nMemAvailable: 5000 kB\n")
    assert available(CPU, root=tmp_path) == 5000 * 1024
    write(tmp_path, sys__fs__cgroup__memory_dot_max="max\n", sys__fs__cgroup__memory_dot_current="7\n")
    write(tmp_path, sys__fs__cgroup__memory_dot_stat="anon 5\ninactive_file 300\n")
    assert available(CPU, root=tmp_path) == 5000 * 1024
    write(tmp_path, sys__fs__cgroup__memory_dot_max="3000000\n", sys__fs__cgroup__memory_dot_current="1000000\n")
    assert available(CPU, root=tmp_path) == 3_000_000 - 1_000_000 + 300


def test_the_older_control_groups_are_read_too(tmp_path):
    folder = tmp_path / "sys/fs/cgroup/memory"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text("5000\n")
    (folder / "memory.usage_in_bytes").write_text("4000\n")
    (folder / "memory.stat").write_text("total_inactive_file 11\n")
    assert available(CPU, root=tmp_path) == 1011
