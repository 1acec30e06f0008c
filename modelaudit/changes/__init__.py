"""What changed: between two audits of a model, and between two runs over many models.

Functions here take values and return typed changes. They read no files and produce no text:
`modelaudit.report.wording` and the command line do.
"""
