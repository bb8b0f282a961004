"""What people do with a model beside running it: saving, freezing, another vocabulary, parts by name."""

import copy
import json

import pytest
import torch
import transformers
from torch import nn

import headway
from conftest import make_random_weights
from headway.errors import ConfigError
from headway.neural.pretrained import in_bytes
from reference.family_cases import CASES, batch

CLASSIFIER = headway.BertForSequenceClassification


@pytest.fixture
def classifier(tiny_config):
    return CLASSIFIER(tiny_config).eval()


@pytest.fixture
def masked_lm(tiny_config):
    """A masked LM without a zero, whose biases show where they went."""
    model = headway.BertForMaskedLM(tiny_config).eval()
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    model.load_state_dict({name: torch.from_numpy(values) for name, values in make_random_weights(shapes).items()})
    return model


# ── saving ──


def test_what_is_saved_is_loaded_with_the_same_weights_and_head(classifier, tmp_path):
    classifier.save_pretrained(tmp_path)
    again = headway.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert type(again) is CLASSIFIER
    assert all(torch.equal(weight, again.state_dict()[name]) for name, weight in classifier.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64], ids=str)
def test_weights_are_saved_as_the_numbers_that_they_are(classifier, tmp_path, dtype):
    classifier.to(dtype).save_pretrained(tmp_path)
    expected = torch.float32 if dtype == torch.float64 else dtype
    again = headway.AutoModelForSequenceClassification.from_pretrained(tmp_path, dtype="auto")
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path, dtype="auto")
    assert again.dtype == theirs.dtype == expected
    assert torch.equal(again.get_input_embeddings().weight, classifier.get_input_embeddings().weight.to(expected))
    assert torch.equal(theirs.get_input_embeddings().weight, again.get_input_embeddings().weight)


def test_a_model_is_divided_among_files_of_the_size_asked_for(classifier, tmp_path):
    classifier.save_pretrained(tmp_path, max_shard_size="30KB")
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 2
    assert all(path.stat().st_size < 40_000 for path in shards)
    assert headway.AutoModel.from_pretrained(tmp_path).dtype == torch.float32


@pytest.mark.parametrize(
    ("size", "count"),
    [
        (5_000_000, 5_000_000),
        ("200MB", 200_000_000),
        ("5GB", 5_000_000_000),
        ("1 GiB", 2**30),
        ("3kib", 3072),
        ("17", 17),
        ("2M", 2_000_000),
    ],
)
def test_sizes_of_files_are_read(size, count):
    assert in_bytes(size) == count


@pytest.mark.parametrize("size", ["much", "5 TB", "", "-3MB", 0, 1.5, "0GB"])
def test_what_is_no_size_is_refused(size, classifier, tmp_path):
    with pytest.raises(ConfigError, match=r"max_shard_size is .*, but it is a number of bytes or a text such as '200MB'"):
        classifier.save_pretrained(tmp_path, max_shard_size=size)


def test_pickled_weights_are_not_written(classifier, tmp_path):
    with pytest.raises(ConfigError, match=r"safe_serialization=False would write pickled weights, which run code"):
        classifier.save_pretrained(tmp_path, safe_serialization=False)
    assert not list(tmp_path.iterdir())


def test_of_several_processes_only_the_main_one_saves(classifier, tmp_path):
    classifier.save_pretrained(tmp_path, is_main_process=False)
    assert not list(tmp_path.iterdir())


def test_a_keyword_for_publishing_without_publishing_is_refused(classifier, tmp_path):
    with pytest.raises(ConfigError, match=r"repo_id, private says how to publish a model. Give push_to_hub=True as well"):
        classifier.save_pretrained(tmp_path, repo_id="owner/name", private=True)


def test_a_model_is_published_as_the_folder_that_was_saved(classifier, tmp_path, monkeypatch):
    pushed = []

    def push(folder, repo_id, **hub):
        names = sorted(path.name for path in type(tmp_path)(folder).iterdir())
        pushed.append((repo_id, hub, names))
        return "https://hub/commit"

    monkeypatch.setattr("headway.checkpoints.push_folder", push)
    assert classifier.push_to_hub("owner/name", private=True, commit_message="First") == "https://hub/commit"
    classifier.save_pretrained(tmp_path / "mine", push_to_hub=True, token="hf_x")
    classifier.save_pretrained(tmp_path / "mine", push_to_hub=True, repo_id="owner/other")
    files = ["config.json", "model.safetensors"]
    assert pushed == [
        ("owner/name", {"private": True, "commit_message": "First"}, files),
        ("mine", {"token": "hf_x"}, files),
        ("owner/other", {}, files),
    ]


# ── the vocabulary ──


def test_new_tokens_stand_near_the_mean_of_the_old_ones_and_no_two_are_alike(masked_lm):
    torch.manual_seed(0)
    old = masked_lm.get_input_embeddings().weight.detach().clone()
    table = masked_lm.resize_token_embeddings(113)
    assert table is masked_lm.get_input_embeddings()
    assert table.weight.shape == (113, 28)
    assert torch.equal(table.weight[:101], old)
    assert torch.allclose(table.weight[101:], old.mean(0), atol=1e-3)
    assert len(torch.unique(table.weight[101:], dim=0)) == 12
    assert (table.num_embeddings, masked_lm.config.vocab_size) == (113, 113)


def test_new_tokens_spread_as_the_old_ones_do_but_much_less():
    from headway.neural.vocabulary import resized

    torch.manual_seed(0)
    old = torch.randn(500, 3) @ torch.tensor([[1.0, 2, 0], [0, 1, 0], [0, 0, 5]]) + 7
    new = resized(old, 4500, std=1.0, mean_resizing=True)[500:]
    assert torch.allclose(torch.cov((new - old.mean(0)).T * 1e9**0.5), torch.cov(old.T), rtol=0.1, atol=0.3)


def test_new_tokens_may_be_random_instead(masked_lm):
    torch.manual_seed(0)
    table = masked_lm.resize_token_embeddings(301, mean_resizing=False)
    assert float(table.weight[101:].detach().std()) == pytest.approx(0.02, rel=0.1)
    assert abs(float(table.weight[101:].detach().mean())) < 1e-3


def test_a_masked_lm_scores_the_new_tokens_too_without_a_bias(masked_lm, tmp_path):
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        before = masked_lm(ids).logits
        masked_lm.resize_token_embeddings(107)
        after = masked_lm(ids).logits
    assert after.shape == (1, 3, 107)
    assert torch.allclose(after[..., :101], before, atol=1e-5)
    assert (masked_lm.head.decoder.bias[101:] == 0).all()
    assert (masked_lm.head.decoder.bias[:101] != 0).all()
    masked_lm.save_pretrained(tmp_path)
    again = headway.AutoModelForMaskedLM.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(again(ids).logits, after)


def test_the_pair_of_pre_training_heads_follows_too(tiny_config):
    model = headway.BertForPreTraining(tiny_config).eval()
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    model.resize_token_embeddings(107)
    output = model(torch.tensor([[5, 106]]))
    assert output.prediction_logits.shape == (1, 2, 107)
    assert output.seq_relationship_logits.shape == (1, 2)


def test_a_vocabulary_shrinks_from_its_end(masked_lm):
    kept = masked_lm.get_input_embeddings().weight[:97].clone()
    masked_lm.resize_token_embeddings(97)
    assert torch.equal(masked_lm.get_input_embeddings().weight, kept)
    assert masked_lm(torch.tensor([[5, 96]])).logits.shape == (1, 2, 97)


def test_sizes_are_rounded_up_to_a_multiple_and_without_a_number_stay(masked_lm):
    assert len(masked_lm.resize_token_embeddings().weight) == 101
    assert len(masked_lm.resize_token_embeddings(pad_to_multiple_of=8).weight) == 104
    assert len(masked_lm.resize_token_embeddings(105, pad_to_multiple_of=64).weight) == 128


def test_what_was_frozen_half_or_hooked_stays_so(masked_lm):
    masked_lm.freeze("embeddings.token")
    masked_lm.bfloat16().enable_input_require_grads()
    table = masked_lm.resize_token_embeddings(107)
    assert not table.weight.requires_grad
    assert table.weight.dtype == torch.bfloat16
    assert masked_lm.head.decoder.bias.requires_grad
    assert table(torch.tensor([106])).requires_grad


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"new_num_tokens": 0}, "new_num_tokens is 0, but it counts tokens. Give a whole number"),
        ({"new_num_tokens": 3.5}, "new_num_tokens is 3.5"),
        ({"new_num_tokens": 107, "pad_to_multiple_of": -8}, "pad_to_multiple_of is -8, but it counts tokens"),
    ],
)
def test_sizes_that_cannot_be_are_refused(masked_lm, arguments, message):
    with pytest.raises(ConfigError, match=message):
        masked_lm.resize_token_embeddings(**arguments)


def test_a_vocabulary_without_its_padding_token_is_refused(tiny_config):
    model = headway.BertModel(tiny_config.replace(pad_token_id=90))
    with pytest.raises(ConfigError, match=r"A vocabulary of 90 tokens would have none with the id 90.* Keep at least 91"):
        model.resize_token_embeddings(90)


def test_the_output_matrix_is_the_token_table_and_follows_it(masked_lm, classifier):
    output = masked_lm.get_output_embeddings()
    assert output.weight is masked_lm.get_input_embeddings().weight
    assert output.bias is masked_lm.head.decoder.bias
    states = torch.randn(3, 28)
    assert torch.allclose(output(states), states @ output.weight.T + output.bias, atol=1e-5)
    assert classifier.get_output_embeddings() is None
    masked_lm.tie_weights()
    assert masked_lm.get_output_embeddings().weight is output.weight


def test_another_token_table_is_taken_with_its_size(masked_lm):
    table = nn.Embedding(107, 28)
    masked_lm.set_input_embeddings(table)
    assert masked_lm.get_output_embeddings().weight is table.weight
    assert masked_lm.config.vocab_size == 107
    assert masked_lm(torch.tensor([[5, 106]])).logits.shape == (1, 2, 107)


@pytest.mark.parametrize(("table", "said"), [(nn.Embedding(101, 27), "27 wide"), (nn.Linear(28, 101), "a Linear")], ids=str)
def test_a_token_table_of_another_width_is_refused(masked_lm, table, said):
    with pytest.raises(ConfigError, match=f"The new token table is {said}, but this model needs an nn.Embedding 28 wide"):
        masked_lm.set_input_embeddings(table)


def test_an_output_matrix_of_its_own_is_refused(masked_lm):
    with pytest.raises(ConfigError, match=r"The output matrix is the token table itself here.* Use set_input_embeddings"):
        masked_lm.set_output_embeddings(nn.Linear(28, 101))


# ── counting ──


def test_parameters_are_counted_with_those_that_are_shared_once(masked_lm):
    layer = 28 * 84 + 84 + 28 * 28 + 28 + 2 * 28 + 28 * 37 + 37 + 37 * 28 + 28 + 2 * 28
    tables = (101 + 41 + 2) * 28
    head = 28 * 28 + 28 + 2 * 28 + 101
    assert masked_lm.num_parameters() == tables + 2 * 28 + 3 * layer + head
    assert masked_lm.num_parameters(exclude_embeddings=True) == masked_lm.num_parameters() - tables
    assert masked_lm.get_memory_footprint() == 4 * masked_lm.num_parameters()
    masked_lm.freeze("layers")
    assert masked_lm.num_parameters(only_trainable=True) == tables + 2 * 28 + head


# ── freezing ──


@pytest.mark.parametrize(
    ("parts", "frozen"),
    [
        pytest.param(["embeddings"], "embeddings.", id="ours and theirs"),
        pytest.param(["layers.1"], "layers.1.", id="ours"),
        pytest.param(["encoder.layer.1"], "layers.1.", id="theirs without the prefix"),
        pytest.param(["bert.encoder.layer.1"], "layers.1.", id="theirs"),
        pytest.param(["encoder"], "layers.", id="all layers"),
        pytest.param(["bert.pooler.dense"], "pooler.dense.", id="pooler"),
        pytest.param(["classifier"], "head.classifier.", id="classifier"),
        pytest.param(["head.classifier.weight"], "head.classifier.weight", id="one weight"),
        pytest.param(["*"], "", id="everything"),
    ],
)
def test_parts_are_frozen_by_our_names_and_the_hubs(classifier, parts, frozen):
    names = classifier.freeze(*parts)
    assert names == [name for name, weight in classifier.named_parameters() if not weight.requires_grad]
    assert names == [name for name, _ in classifier.named_parameters() if name.startswith(frozen)]
    assert classifier.unfreeze(*parts) == names
    assert all(weight.requires_grad for weight in classifier.parameters())


def test_the_base_model_is_frozen_by_its_prefix(classifier):
    classifier.freeze("bert")
    assert [name for name, weight in classifier.named_parameters() if weight.requires_grad] == [
        "head.classifier.weight",
        "head.classifier.bias",
    ]


def test_a_star_stands_for_anything(classifier):
    assert classifier.freeze("layers.*.attention") == [
        f"layers.{index}.attention.{part}.{kind}" for index in range(3) for part in ("qkv", "out") for kind in ("weight", "bias")
    ]
    assert classifier.unfreeze("*.attention.self") == [
        f"layers.{index}.attention.qkv.{kind}" for index in range(3) for kind in ("weight", "bias")
    ]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("layers.3", r"This BertForSequenceClassification has no part 'layers.3', so nothing would happen\."),
        ("bert.encoder.layers.1", r"Did you mean 'bert\.encoder\.layer\.1'"),
        ("zzz", "Its parts are embeddings, layers, pooler, head"),
        ("bert.encoder.layer.0.attention.self.query", r"is only a part of layers\.0\.attention\.qkv\.weight, which holds bert\."),
    ],
)
def test_a_part_that_is_not_there_is_refused(classifier, part, message):
    with pytest.raises(ConfigError, match=message):
        classifier.freeze(part)
    assert all(weight.requires_grad for weight in classifier.parameters())


def test_parts_that_somebody_added_are_frozen_by_their_own_names(classifier):
    classifier.layers[0].adapter = nn.Linear(28, 2, bias=False)
    assert classifier.freeze("layers.0.adapter") == ["layers.0.adapter.weight"]
    assert "layers.0.adapter.weight" in classifier.freeze("layers.0")
    assert not hasattr(classifier.bert.encoder, "_private")


def test_nothing_to_freeze_is_refused(classifier):
    with pytest.raises(ConfigError, match=r"No part is named\. Name some, such as 'embeddings'"):
        classifier.freeze()


# ── parts under the Hub's names ──


def test_the_base_model_shares_all_its_parameters(classifier):
    base = classifier.base_model
    assert type(base) is headway.BertModel
    assert {name for name, _ in base.named_parameters()} == {
        name for name, _ in classifier.named_parameters() if not name.startswith("head.")
    }
    assert all(weight is classifier.get_parameter(name) for name, weight in base.named_parameters())
    assert not base.training
    assert base.base_model is base


def test_the_base_model_runs(classifier):
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        pooled = classifier.bert(ids).pooler_output
        assert torch.allclose(classifier.classifier(pooled), classifier(ids).logits, atol=1e-6)


def test_loops_of_tutorials_freeze_what_they_say(classifier):
    for weight in classifier.base_model.parameters():
        weight.requires_grad = False
    assert {name for name, weight in classifier.named_parameters() if weight.requires_grad} == {
        "head.classifier.weight",
        "head.classifier.bias",
    }
    for layer in classifier.bert.encoder.layer[-2:]:
        for weight in layer.parameters():
            weight.requires_grad = True
    trained = {name for name, weight in classifier.named_parameters() if weight.requires_grad}
    assert {name.partition(".attention")[0] for name in trained if ".attention" in name} == {"layers.1", "layers.2"}
    classifier.bert.encoder.requires_grad_(False)
    assert classifier.num_parameters(only_trainable=True) == 28 * 5 + 5


def test_parts_of_the_hub_are_our_modules_where_they_have_the_same_parameters(classifier, masked_lm):
    assert classifier.classifier is classifier.head.classifier
    assert classifier.bert.encoder.layer is classifier.layers
    assert masked_lm.cls.predictions.transform.dense is masked_lm.head.dense
    assert masked_lm.cls.predictions.bias is masked_lm.head.decoder.bias
    assert repr(masked_lm.cls) == "HubPart('cls': 5 parameters of several modules)"
    assert sorted(dict(masked_lm.cls.named_parameters())) == sorted(dict(masked_lm.head.named_parameters(prefix="head")))


def test_what_the_hub_does_not_have_is_no_attribute(classifier, masked_lm):
    for model, name in ((classifier, "roberta"), (classifier, "module"), (classifier, "cls"), (masked_lm, "classifier")):
        assert not hasattr(model, name)
    with pytest.raises(AttributeError, match=r"This BertModel has nothing that the Hub calls 'encoder.layers'"):
        classifier.bert.encoder.layers  # noqa: B018


def test_a_part_cannot_be_replaced_under_the_hubs_name_where_nothing_would_read_it(classifier):
    message = "cannot be given another 'classifier': the Hub calls a part of it so.* names, embeddings, layers, pooler, head"
    with pytest.raises(ConfigError, match=message):
        classifier.classifier = nn.Linear(28, 3)
    classifier.head.classifier = nn.Linear(28, 5)
    classifier.note = "mine"
    assert classifier.classifier.weight.shape == (5, 28)


# ── training aids ──


def test_checkpointing_is_switched_on_and_off(classifier):
    assert classifier.supports_gradient_checkpointing
    classifier.gradient_checkpointing_enable()
    assert classifier.is_gradient_checkpointing
    classifier.gradient_checkpointing_disable()
    classifier.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    assert classifier.is_gradient_checkpointing
    assert not headway.BertModel(classifier.config).is_gradient_checkpointing


def test_checkpointing_with_re_entry_is_refused(classifier):
    with pytest.raises(
        ConfigError, match=r"gradient_checkpointing_kwargs is \{'use_reentrant': True\}, but layers are computed again"
    ):
        classifier.gradient_checkpointing_enable({"use_reentrant": True})


def test_checkpointing_computes_layers_twice_and_changes_no_gradient(tiny_config):
    still = tiny_config.replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model, passes = CLASSIFIER(still), []
    model.layers[1].register_forward_pre_hook(lambda *arguments: passes.append(1))
    inputs = {"input_ids": torch.tensor([[5, 6, 7], [8, 9, 0]]), "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]])}
    gradients = []
    for switch in (model.gradient_checkpointing_disable, model.gradient_checkpointing_enable):
        switch()
        model.zero_grad()
        model(**inputs, labels=torch.tensor([1, 4])).loss.backward()
        gradients.append({name: weight.grad.clone() for name, weight in model.named_parameters()})
    assert len(passes) == 1 + 2
    assert all(torch.allclose(gradients[0][name], gradients[1][name], atol=1e-7) for name in gradients[0])


def test_gradients_reach_the_embedded_tokens_though_the_table_is_frozen(classifier):
    classifier.freeze("*")
    ids = torch.tensor([[5, 6, 7]])
    assert not classifier(ids).logits.requires_grad
    classifier.enable_input_require_grads()
    classifier.enable_input_require_grads()
    assert classifier(ids).logits.requires_grad
    classifier.disable_input_require_grads()
    classifier.disable_input_require_grads()
    assert not classifier(ids).logits.requires_grad


class Adapted(nn.Module):
    """A map with an addition of low rank, as adapters put in its place (Hu et al., 2021)."""

    def __init__(self, base):
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.in_features, 2, bias=False)
        self.up = nn.Linear(2, base.out_features, bias=False)

    weight = property(lambda self: self.base.weight)
    bias = property(lambda self: self.base.bias)

    def forward(self, states):
        return self.base(states) + self.up(self.down(states))


@pytest.mark.parametrize("case", [case for case in CASES if "base" in case.heads], ids=lambda case: case.name)
def test_an_adapter_in_the_place_of_any_map_takes_part(case):
    model = headway.AutoModel.from_config(case.config("base")).eval()
    adapted = copy.deepcopy(model)
    maps = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and "pooler" not in name]
    for name in maps:
        parent, _, leaf = name.rpartition(".")
        setattr(adapted.get_submodule(parent), leaf, Adapted(adapted.get_submodule(name)))
    arrays = {name: torch.from_numpy(array) for name, array in batch(case, "base", lengths=(5, 3)).items()}
    adapted(**arrays).last_hidden_state.square().sum().backward()
    assert not [
        name for name, weight in adapted.named_parameters() if ".up." in name and (weight.grad is None or not weight.grad.any())
    ]
    merged = {
        name: module.base.weight + module.up.weight @ module.down.weight
        for name, module in adapted.named_modules()
        if isinstance(module, Adapted)
    }
    with torch.no_grad():
        for name, weight in merged.items():
            model.get_submodule(name).weight.copy_(weight)
        assert torch.allclose(adapted(**arrays).last_hidden_state, model(**arrays).last_hidden_state, atol=1e-5)


def test_a_model_can_be_told_about_its_configuration(classifier):
    classifier.config = classifier.config.replace(problem_type="regression")
    assert classifier.config.problem_type == "regression"
    assert classifier.num_labels == 5
    assert json.loads(classifier.config.to_json_string())["problem_type"] == "regression"


def test_half_precision_is_kept_by_name(classifier):
    assert classifier.half().dtype == torch.float16
    assert classifier.to(torch.bfloat16).dtype == torch.bfloat16
    assert classifier.float().dtype == torch.float32
