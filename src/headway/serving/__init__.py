"""Models over HTTP: dialects that clients already speak, on one engine room that batches across all requests.

A dialect reads a request and words an answer; what stands between is an ``Ask`` and its ``Answers``. Nothing here needs torch.
"""
