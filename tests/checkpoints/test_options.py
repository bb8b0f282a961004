import pytest

from headway.checkpoints.options import NOTHING_TO_DO, REFUSED, check_settings, sort_keywords
from headway.errors import ConfigError
from headway.families import family
from headway.settings.loading import LoadingOptions, Place

ASKED = {
    "trust_remote_code": (True, "run code from the repository"),
    "weights_only": (False, "reads weights and nothing else"),
    "use_safetensors": (False, "pickled ones without running them"),
    "from_tf": (True, r"convert the checkpoint once with transformers: AutoModel….from_pretrained\(…, from_tf=True\)"),
    "from_flax": (True, "from_flax=True"),
    "gguf_file": ("model.gguf", "GGUF files are not read here"),
    "quantization_config": ({"bits": 8}, "INT8 is for inference: headway export"),
    "load_in_8bit": (True, "headway export"),
    "load_in_4bit": (True, "headway export"),
    "state_dict": ({"weight": 1}, r"model\.load_state_dict"),
    "key_mapping": ({"a": "b"}, "rename them in the file"),
    "subfolder": ("bert", "give the folder itself"),
    "variant": ("fp16", "for other numbers give dtype"),
    "force_download": (True, "hf cache"),
    "proxies": ({"https": "proxy"}, "HTTPS_PROXY"),
    "mirror": ("tuna", "HF_ENDPOINT"),
    "use_auth_token": ("hf_x", "write token='hf_x'"),
    "max_memory": ({0: "1GB"}, "device_map"),
    "offload_folder": ("here", "device_map"),
    "offload_state_dict": (True, "device_map"),
    "offload_buffers": (True, "device_map"),
    "tp_plan": ("auto", "device_map"),
    "tp_size": (2, "device_map"),
    "device_mesh": ("mesh", "device_map"),
    "use_flash_attention_2": (True, "the fastest kernel at hand"),
    "use_kernels": (True, "the fastest kernel at hand"),
    "adapter_kwargs": ({"a": 1}, r"PeftModel\.from_pretrained"),
    "generation_config": ("config", "generate nothing"),
    "return_unused_kwargs": (True, "no setting is an error"),
    "code_revision": ("main", "no code is taken"),
}


def test_options_are_told_from_settings():
    options, settings = sort_keywords({"revision": "v1", "num_labels": 3, "dtype": "auto", "dropout": 0.2}, LoadingOptions)
    assert options == LoadingOptions(revision="v1", dtype="auto")
    assert settings == {"num_labels": 3, "dropout": 0.2}


def test_an_option_of_models_is_no_option_of_configurations():
    assert sort_keywords({"device_map": "cpu"}, Place) == (Place(), {"device_map": "cpu"})


def test_every_refusal_is_tried_here():
    assert ASKED.keys() == REFUSED.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_had_is_refused_with_the_reason_and_its_harmless_values_pass(name):
    value, reason = ASKED[name]
    with pytest.raises(ConfigError, match=rf"^{name}=.* cannot be had here: .*{reason}.*\.$"):
        sort_keywords({name: value}, LoadingOptions)
    for harmless in REFUSED[name][0]:
        assert sort_keywords({name: harmless}, LoadingOptions) == (LoadingOptions(), {})


@pytest.mark.parametrize("name", NOTHING_TO_DO)
def test_what_is_always_done_may_be_asked_for(name):
    assert sort_keywords({name: True}, LoadingOptions) == (LoadingOptions(), {})


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("num_label", "Did you mean 'num_labels'"),
        ("ignore_mismatched_size", "Did you mean 'ignore_mismatched_sizes'"),
        ("local_file_only", "Did you mean 'local_files_only'"),
        ("hidden_dropout", "Did you mean 'hidden_dropout_prob'"),
        ("colour", "Its settings are .*hidden_size"),
    ],
)
def test_a_keyword_that_means_nothing_is_refused_with_the_nearest_option_or_setting(name, near):
    with pytest.raises(ConfigError, match=rf"'{name}' is no setting of bert models and no option, so .*{near}"):
        check_settings({name: 1}, family("bert").config(), options=LoadingOptions)


def test_settings_of_the_family_in_every_spelling_pass():
    config = family("distilbert").config()
    check_settings({"dim": 36, "hidden_size": 36, "num_labels": 3, "output_attentions": True, "tie_weights_": True}, config)
