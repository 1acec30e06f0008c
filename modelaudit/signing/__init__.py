"""Signatures of models and of audits: DSSE envelopes over in-toto statements.

Nothing here accesses the network. Every file is untrusted until its signature was checked, and what
cannot be checked is a result of its own, never a pass (docs/adr/0026-signatures.md).
"""
