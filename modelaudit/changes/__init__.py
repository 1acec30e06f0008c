"""What changed: between two audits of a model, and between two runs over many models.

Everything here takes values and returns typed changes. It reads no file and words nothing:
`modelaudit.report.wording` and the command line do.
"""
