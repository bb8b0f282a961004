import json

import pytest

import headway
from headway.architecture import ModelConfig
from headway.errors import ConfigError

BertConfig, DistilBertConfig = headway.BertConfig, headway.DistilBertConfig


@pytest.fixture
def distil(tmp_path):
    """A folder with a configuration that says only a part."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "distilbert", "dim": 36, "n_heads": 4, "mine": 1}))
    return tmp_path


def test_configurations_come_from_folders_and_from_families(model_folder):
    folder = model_folder("sequence-classification", num_labels=3)
    assert headway.AutoConfig.from_pretrained(folder).num_labels == 3
    assert headway.AutoConfig.from_pretrained(folder, num_labels=7, local_files_only=True).num_labels == 7
    assert headway.AutoConfig.for_model("bert", hidden_size=36).hidden_size == 36


def test_a_configuration_from_a_folder_knows_the_familys_defaults_and_spellings(distil):
    config = headway.AutoConfig.from_pretrained(distil, num_hidden_layers=2)
    assert (config.hidden_size, config.num_attention_heads, config.n_layers, config.qa_dropout) == (36, 4, 2, 0.1)
    assert config.to_dict() == {"model_type": "distilbert", "dim": 36, "n_heads": 4, "mine": 1, "n_layers": 2}


def test_a_setting_of_the_file_alone_may_be_changed(distil):
    assert headway.AutoConfig.from_pretrained(distil, mine=2).mine == 2


def test_a_setting_that_nothing_reads_is_refused_with_the_nearest(distil):
    with pytest.raises(ConfigError, match=r"'hiden_dim' is no setting of distilbert models, so it would .*'hidden_dim'"):
        headway.AutoConfig.from_pretrained(distil, hiden_dim=37)
    with pytest.raises(ConfigError, match=r"'colour' is no setting .* Its settings are .*, dim, .*config\.replace\(colour=…\)"):
        headway.AutoConfig.for_model("distilbert", colour="red")


def test_a_class_of_configurations_starts_from_the_familys_defaults():
    config = BertConfig(hidden_size=36, num_labels=3)
    assert isinstance(config, ModelConfig)
    assert config == headway.AutoConfig.for_model("bert", hidden_size=36, num_labels=3)
    assert (BertConfig().hidden_size, BertConfig().vocab_size) == (768, 30522)
    assert DistilBertConfig(hidden_size=36).dim == 36


def test_a_class_of_configurations_recognises_those_of_its_family():
    assert isinstance(BertConfig(), BertConfig)
    assert not isinstance(BertConfig(), DistilBertConfig)
    assert not isinstance({"model_type": "bert"}, BertConfig)


def test_a_class_of_configurations_reads_folders_files_and_dictionaries(distil):
    config = DistilBertConfig.from_pretrained(distil, dropout=0.2)
    assert (config.dim, config.dropout) == (36, 0.2)
    assert DistilBertConfig.from_json_file(distil / "config.json").replace(dropout=0.2) == config
    assert DistilBertConfig.from_dict({"dim": 36, "model_type": "distilbert"}, n_heads=4).hidden_size == 36


@pytest.mark.parametrize(
    "read", [lambda path: BertConfig.from_pretrained(path), lambda path: BertConfig.from_json_file(path / "config.json")]
)
def test_a_class_of_configurations_refuses_those_of_other_families(distil, read):
    with pytest.raises(
        ConfigError, match=r"holds a distilbert model, but BertConfig is for bert models.* Use DistilBertConfig or AutoConfig"
    ):
        read(distil)


def test_a_class_of_configurations_refuses_a_family_that_nobody_knows(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "chess"}')
    with pytest.raises(ConfigError, match=r"holds a chess model, but BertConfig is for bert models.* Use AutoConfig"):
        BertConfig.from_pretrained(tmp_path)


def test_a_class_of_configurations_refuses_unknown_settings():
    with pytest.raises(ConfigError, match=r"'hiden_size' is no setting of bert models.* Did you mean 'hidden_size'"):
        BertConfig(hiden_size=36)
