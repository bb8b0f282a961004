"""Text to token ids and back: tokenizers loaded, trained, saved, and safe to share between threads."""

from headway.text.batch import BatchEncoding
from headway.text.tokenizer import Tokenizer
from headway.text.training import train_wordpiece

AutoTokenizer = Tokenizer

__all__ = ["AutoTokenizer", "BatchEncoding", "Tokenizer", "train_wordpiece"]
