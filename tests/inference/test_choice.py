import pytest

from headway.errors import EngineError
from headway.inference.choice import Choice, choose


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, Choice("onnx", "fp32"), id="fp32 on the CPU"),
        pytest.param({"has_int8": True}, Choice("onnx", "int8"), id="INT8 where there is a file"),
        pytest.param({"has_int8": True, "precision": "fp32"}, Choice("onnx", "fp32"), id="fp32 asked for"),
        pytest.param({"precision": "int8"}, Choice("onnx", "int8"), id="INT8 asked for is built"),
        pytest.param({"precision": "bf16"}, Choice("torch", "bf16"), id="bf16 is torch's"),
        pytest.param({"engine": "torch"}, Choice("torch", "fp32"), id="torch"),
        pytest.param({"engine": "torch", "has_int8": True}, Choice("torch", "fp32"), id="torch beside an INT8 file"),
        pytest.param({"device": "cuda:1"}, Choice("torch", "fp32", "cuda:1"), id="a GPU is torch's"),
        pytest.param({"device": 0}, Choice("torch", "fp32", "cuda:0"), id="GPUs by number"),
        pytest.param({"device": -1}, Choice("onnx", "fp32"), id="minus one is the CPU"),
        pytest.param({"device": "cpu", "engine": "torch"}, Choice("torch", "fp32", "cpu"), id="torch on the CPU"),
    ],
)
def test_choices(asked, expected):
    assert choose(**{"engine": "auto", "precision": "auto", "device": None, "has_int8": False} | asked) == expected


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"engine": "onnx", "precision": "bf16"}, "engine='onnx' has no bf16. Use engine='torch'"),
        ({"engine": "onnx", "device": "cuda"}, "engine='onnx' runs on the CPU here, but device is 'cuda'"),
        ({"engine": "torch", "precision": "int8"}, "engine='torch' and GPUs have no int8"),
        ({"device": 0, "precision": "int8"}, "have no int8 here"),
        ({"engine": "tensorrt"}, "engine is 'tensorrt', which is none that Headway has; known are auto, onnx, torch"),
        ({"precision": "fp16"}, "precision is 'fp16', which is none that Headway has; known are auto, fp32, bf16, int8"),
    ],
)
def test_what_excludes_each_other_is_refused(asked, message):
    with pytest.raises(EngineError, match=message):
        choose(**{"engine": "auto", "precision": "auto", "device": None, "has_int8": False} | asked)
