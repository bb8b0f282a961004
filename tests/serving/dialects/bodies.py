"""A body for every route that reads one, with whatever it may hold."""

TEXT, PAIR = "the movie was great fun", {"question": "fun ?", "context": "it was fun"}
TENSOR = {"name": "text", "shape": [2], "datatype": "BYTES", "parameters": {}, "data": [TEXT, "a"]}
IDS = {"name": "input_ids", "shape": [1, 3], "datatype": "INT64", "data": [[2, 70, 3]]}
SIMILAR = {"source_sentence": TEXT, "sentences": ["a", "b"]}
RANKED = {"query": "fun ?", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True, "model": "ranker"}
BASES = {
    "/": {"inputs": TEXT, "parameters": {"top_k": 1, "function_to_apply": "none", "candidate_labels": None, "truncation": True}},
    "/invocations": {"inputs": [PAIR], "parameters": {"top_k": 2, "max_seq_len": 20, "doc_stride": 4}},
    "/models/mood": {
        "inputs": {"text": TEXT, "text_pair": "a"},
        "parameters": {"join": "max", "overflow": "window", "stride": 3},
    },
    "/models/tagger": {"inputs": [TEXT], "parameters": {"aggregation_strategy": "max", "ignore_labels": ["O"], "stride": 2}},
    "/models/filler/pipeline/fill-mask": {"inputs": "a [MASK]", "parameters": {"targets": ["dog"], "top_k": 2}},
    "/models/judge": {
        "inputs": TEXT,
        "parameters": {"candidate_labels": ["a"], "hypothesis_template": "{} .", "multi_label": True},
    },
    "/models/org/encoder": {"inputs": TEXT, "normalize": True, "prompt_name": "query", "dimensions": 3, "truncate": True},
    "/pipeline/text-classification": {"inputs": [TEXT], "parameters": {"tokenizer_kwargs": {"truncation": True}}},
    "/pipeline/multiple-choice/chooser": {"inputs": {"prompt": TEXT, "choices": ["a", "b"]}, "parameters": {"top_k": None}},
    "/tasks/sentence-embeddings": {"inputs": [TEXT], "options": {"prompt": "a", "ranges": None, "output_precision": "ubinary"}},
    "/tasks/next-sentence-prediction": {"inputs": {"text": TEXT, "next_sentence": "a"}, "options": {"max_length": 9}},
    "/tasks/text-classification/words": {"inputs": TEXT, "options": {"join": "max"}, "model": "mood", "label": "LABEL_1"},
    "/tasks/text-classification/attention": {"inputs": {"text": TEXT, "text_pair": "a"}, "layer": 1, "head": 2, "by": "token"},
    "/tasks/zero-shot-classification/attention": {
        "inputs": TEXT,
        "options": {"hypothesis_template": "{} ."},
        "label": "a",
        "model": "judge",
    },
    "/predict": {"inputs": [[TEXT], ["a", "b"]], "raw_scores": True, "truncate": None, "truncation_direction": "Right"},
    "/rerank": {"query": "a", "texts": [TEXT, "b"], "return_text": True, "raw_scores": False, "truncate": True},
    "/similarity": {"inputs": SIMILAR, "parameters": {"truncate": True, "prompt_name": "query"}},
    "/embed": {"inputs": [TEXT, [2, 70, 3]], "normalize": True, "dimensions": 3, "prompt_name": None},
    "/embed_all": {"inputs": "a", "truncate": False},
    "/embed_sparse": {"inputs": "a"},
    "/tokenize": {"inputs": [TEXT], "add_special_tokens": True, "prompt_name": "query"},
    "/decode": {"ids": [[2, 70, 3]], "skip_special_tokens": True},
    "/v1/embeddings": {"input": [TEXT, [2, 3]], "model": "x", "encoding_format": "base64", "dimensions": 2, "user": "a"},
    "/embeddings": {"input": [2, 70, 3]},
    "/v1/rerank": {**RANKED, "rank_fields": ["text"], "max_tokens_per_doc": 9},
    "/v2/rerank": RANKED,
    "/classify": {"input": [TEXT], "model": "mood", "raw_scores": True},
    "/v1/classify": {"input": [TEXT], "truncate_prompt_tokens": 4, "use_activation": False},
    "/score": {"text_1": "a", "text_2": ["b", TEXT], "truncate_prompt_tokens": -1},
    "/v1/score": {"queries": ["a"], "documents": "b"},
    "/v1/models/reader:predict": {"instances": [PAIR, {"inputs": PAIR}], "parameters": {"top_k": 2, "max_answer_len": 3}},
    "/vertex": {"instances": [TEXT], "parameters": {"top_k": None}},
    "/v2/models/mood/infer": {"id": "4", "inputs": [TENSOR], "outputs": [{"name": "score", "parameters": {"binary_data": True}}]},
    "/v2/models/org/encoder/versions/000000000000/infer": {"inputs": [IDS], "parameters": {"binary_data_output": False}},
    "/v2/repository/index": {},
}
"""A body that every route with one answers, with whatever it may hold."""
