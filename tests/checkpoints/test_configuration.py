import pytest

from headway.architecture import weight_shapes
from headway.checkpoints import save_checkpoint
from headway.checkpoints.configuration import AutoConfig
from headway.errors import CheckpointError, ConfigError
from headway.families import family


def test_a_configuration_is_loaded_and_settings_replace_its_own(tmp_path, tiny_config, random_weights):
    weights = random_weights(weight_shapes(family("bert").architecture(tiny_config, "base")))
    save_checkpoint(tmp_path, config=tiny_config, head="base", weights=weights)
    found = AutoConfig.from_pretrained(tmp_path, num_labels=3, hidden_act="relu", local_files_only=True)
    assert (found.hidden_size, found.num_labels, found.hidden_act) == (28, 3, "relu")


def test_where_to_look_is_not_taken_for_a_setting(tmp_path):
    with pytest.raises(CheckpointError, match=r"owner/tiny at 'v2' is not a folder here and not in the Hub's cache"):
        AutoConfig.from_pretrained("owner/tiny", revision="v2", cache_dir=tmp_path)


def test_a_configuration_is_made_from_a_family_s_defaults():
    made = AutoConfig.for_model("bert", hidden_size=128, num_labels=3)
    assert (made.model_type, made.hidden_size, made.intermediate_size, made.num_labels) == ("bert", 128, 3072, 3)
    with pytest.raises(ConfigError, match="Did you mean 'bert'"):
        AutoConfig.for_model("brt")
