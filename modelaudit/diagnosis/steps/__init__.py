"""The steps of the diagnosis: each weighs one kind of cause by what was measured."""
