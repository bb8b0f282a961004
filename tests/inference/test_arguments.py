"""Arguments of transformers' pipeline: what each of them means here, and what is refused."""

import pytest

from headway.errors import ConfigError
from headway.inference.arguments import NO_EFFECT, ONLY, understood, without_effect

PLACE = {"revision": None, "token": None, "local_files_only": False, "cache_dir": None}


def read(*, precision="auto", device=None, place=PLACE, model="folder", **given):
    return understood(given, precision=precision, device=device, place=place, model=model)


class Named:
    """Prints as objects of torch do."""

    def __init__(self, name):
        self.name = name

    def __str__(self):
        return self.name


@pytest.mark.parametrize("name", ["dtype", "torch_dtype"])
@pytest.mark.parametrize(
    ("dtype", "precision"),
    [
        ("auto", "auto"),
        (None, "auto"),
        ("float32", "fp32"),
        (Named("torch.float32"), "fp32"),
        (Named("torch.bfloat16"), "bf16"),
        ("bfloat16", "bf16"),
        ("int8", "int8"),
    ],
    ids=str,
)
def test_a_dtype_is_a_precision(name, dtype, precision):
    assert read(**{name: dtype}).precision == precision
    assert read(model_kwargs={name: dtype}).precision == precision


@pytest.mark.parametrize(
    ("device_map", "device"),
    [(None, None), ("auto", None), ("balanced", None), ("cpu", "cpu"), ("cuda:1", "cuda:1"), (0, 0), ({"": "cuda"}, "cuda")],
    ids=str,
)
def test_a_device_map_is_a_device(device_map, device):
    assert read(device_map=device_map).device == device


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"dtype": "float16"}, r"dtype='float16' cannot be had here: .* fp16, .* Use dtype='bfloat16'", id="fp16"),
        pytest.param({"torch_dtype": 16}, r"torch_dtype=16 cannot be had here", id="no dtype"),
        pytest.param(
            {"dtype": "float32", "precision": "bf16"},
            r"dtype asks for 'fp32' and precision for 'bf16'. Give one of the two",
            id="two precisions",
        ),
        pytest.param({"device": 0, "device_map": "cpu"}, r"device_map asks for 'cpu' and device for 0", id="two devices"),
        pytest.param(
            {"device_map": {"encoder": 0, "head": "cpu"}}, r"a model stands on one device; name it: device=…", id="split model"
        ),
        pytest.param(
            {"framework": "tf"}, r"framework='tf' cannot be had here. Weights of TensorFlow and JAX are not read", id="tf"
        ),
        pytest.param(
            {"trust_remote_code": True},
            r"trust_remote_code=True cannot be had here: it would run code from the repository with your rights",
            id="remote code",
        ),
        pytest.param({"config": {}}, r"A model's own config.json is read; .* load the model with it", id="config"),
        pytest.param({"image_processor": "x"}, r"Tasks here read text, with a tokenizer alone; leave it out", id="images"),
        pytest.param({"pipeline_class": int}, r"Each task is one file", id="a class of one's own"),
        pytest.param({"binary_output": True}, r"binary_output=True cannot be had here", id="binary"),
        pytest.param({"load_in_8bit": True}, r"INT8 is for inference", id="bitsandbytes"),
        pytest.param(
            {"model_kwargs": {"num_labels": 3}},
            r"model_kwargs has 'num_labels', a setting of the model: load the model with it \(AutoModelFor….*num_labels=…\)",
            id="a setting of the model",
        ),
        pytest.param({"model_kwargs": "fast"}, r"model_kwargs is 'fast', but it holds arguments by name", id="no mapping"),
        pytest.param(
            {"use_auth_token": "a", "place": {**PLACE, "token": "b"}},
            r"use_auth_token asks for 'a' and token for 'b'",
            id="two tokens",
        ),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(given, message):
    with pytest.raises(ConfigError, match=message):
        read(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"framework": "pt"},
        {"use_fast": False},
        {"num_workers": 8},
        {"trust_remote_code": False},
        {"config": "folder"},
        {"attn_implementation": "sdpa"},
        {"low_cpu_mem_usage": True, "feature_extractor": None, "modelcard": None, "binary_output": False},
        {"model_kwargs": {"attn_implementation": "eager", "use_safetensors": True}},
        {"model_kwargs": None},
    ],
    ids=str,
)
def test_what_asks_for_nothing_changes_nothing(given):
    assert read(**given) == read()


def test_where_to_look_may_be_said_in_several_ways():
    assert read(use_auth_token="secret").place == {**PLACE, "token": "secret"}
    assert read(model_kwargs={"revision": "v2", "cache_dir": "here", "local_files_only": True}).place == {
        "revision": "v2", "token": None, "local_files_only": True, "cache_dir": "here",
    }  # fmt: skip


def test_all_the_rest_are_options_of_the_task():
    found = read(top_k=3, truncation=True, dtype="float32", num_workers=1, use_fast=True)
    assert found.options == {"top_k": 3, "truncation": True}
    assert without_effect({"num_workers": 2, "top_k": 1}) == {"top_k": 1}


def test_the_page_about_pipelines_has_every_argument(request):
    page = (request.config.rootpath / "docs" / "pipelines.md").read_text(encoding="utf-8")
    names = {*ONLY, *NO_EFFECT, "dtype", "torch_dtype", "device_map", "use_auth_token", "model_kwargs", "use_fast"}
    assert not [name for name in sorted(names) if f"`{name}" not in page]
