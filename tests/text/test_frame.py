"""What stands around a text; that it is what a call sets there stands in test_call_reference.py."""

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models
from tokenizers.processors import TemplateProcessing

from headway.errors import TokenizerError
from headway.text import Tokenizer


def test_any_template_is_seen(tokenizer):
    backend = tokenizer.backend
    backend.post_processor = TemplateProcessing(
        single="[CLS]:7 $A:5 [SEP]:3 [SEP]:2", pair="$B:1 [SEP]:2 $A:3", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    framed = Tokenizer.from_tokenizers(backend)
    assert framed.build_inputs_with_special_tokens([11, 13]) == [2, 11, 13, 3, 3]
    assert framed.create_token_type_ids_from_sequences([11, 13]) == [7, 5, 5, 3, 2]
    assert framed.build_inputs_with_special_tokens([11, 13], [17]) == [17, 3, 11, 13]
    assert framed.create_token_type_ids_from_sequences([11, 13], [17]) == [1, 2, 3, 3]
    assert framed.get_special_tokens_mask([11, 13], [17]) == [0, 1, 0, 0]
    assert framed.build_inputs_with_special_tokens([], []) == [3]


def test_a_tokenizer_of_which_nothing_can_be_seen_says_so():
    backend = Backend(models.BPE({"b": 0}, []))
    with pytest.raises(TokenizerError, match=r"makes no tokens of 'a', .* Give texts to the tokenizer"):
        Tokenizer.from_tokenizers(backend).build_inputs_with_special_tokens([0])
    assert Tokenizer.from_tokenizers(backend)("b").token_type_ids == [0]
