"""What graphs call their inputs and dimensions, and what they say of themselves: agreed between those that write and run them."""

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
BATCH, CHOICES, SEQUENCE = "batch", "choices", "sequence"

MASKED_LOGITS, MASKS = "masked_logits", "masks"
"""The scores of the masks alone, text by text, and their number in the batch."""

FINISHED, UNFUSED = "finished", "to be fused"
"""Whether a graph runs well as it is written, or counts on the runtime to make one operator of several: in its first bytes."""

START = 64
"""How many bytes those are."""

PRECISION, PRODUCTS, UNSIGNED = "headway.precision", "headway.products", "unsigned"
"""Notes in a graph: how its numbers are held, and of 8-bit weights whether they are without a sign, which is said only then."""
