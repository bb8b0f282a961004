"""What tokenizers of transformers have and Headway's have not, and what to do instead."""

from collections.abc import Mapping

CHAT = "encoders answer no chat, so there are no templates of conversations; join the turns into one text yourself"
TARGETS = "call the tokenizer with text_target=…, whose ids come back as labels"
CALLS = "padding and truncation travel with the call: tokenizer(…, padding=…, truncation=…, max_length=…)"
ONE_KIND = "there is one kind of tokenizer, and save_pretrained writes what every version of transformers loads"

REASONS: Mapping[str, str] = {
    **dict.fromkeys(
        ("apply_chat_template", "chat_template", "encode_message_with_chat_template", "get_chat_template", "save_chat_templates"),
        CHAT,
    ),
    **dict.fromkeys(("as_target_tokenizer", "prepare_seq2seq_batch"), TARGETS),
    "set_truncation_and_padding": CALLS,
    "truncate_sequences": "prepare_for_model(ids, pair_ids, truncation=…, max_length=…) cuts ids, and frames them",
    **dict.fromkeys(("slow_tokenizer_class", "can_save_slow_tokenizer", "vocab_file", "vocab_files_names"), ONE_KIND),
    "register_for_auto_class": "no code is taken from repositories",
    "sanitize_special_tokens": "special tokens are always in the vocabulary",
    **dict.fromkeys(
        ("decoder", "normalizer", "pre_tokenizer", "post_processor"), "it is a part of tokenizer.backend, which is a copy"
    ),
    **dict.fromkeys(
        ("all_special_tokens_extended", "special_tokens_map_extended"),
        "how each token behaves stands in added_tokens_decoder",
    ),
    "extra_special_tokens": "those without a role are additional_special_tokens",
    "init_kwargs": "what tokenizer_config.json says is traits.file",
}


def absence(name: str) -> str:
    """Why there is no such thing, to be put behind its name; empty where there never was one."""
    return f": {REASONS[name]}" if name in REASONS else ""
