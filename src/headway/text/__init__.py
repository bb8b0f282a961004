"""Text to token ids and back: tokenizers loaded, trained, saved, and safe to share between threads."""

from headway.text.batch import BatchEncoding
from headway.text.identity import check_tokenizer, with_note
from headway.text.tokenizer import Tokenizer
from headway.text.training import train_tokenizer, train_wordpiece

AutoTokenizer = Tokenizer

__all__ = ["AutoTokenizer", "BatchEncoding", "Tokenizer", "check_tokenizer", "train_tokenizer", "train_wordpiece", "with_note"]
