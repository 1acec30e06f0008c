"""The types of `audit.json`: one module for each group of its sections.

A field is a key of the file, the string below it its description. `make docs` generates the JSON
Schema and `docs/audit-json.md` from them, so a new key needs a field here and a value for it where
the audit is made, and nothing else.

Types that the program also computes with are plain structs; they are written as they are. Types of
the file alone are `AuditSection`s, which `modelaudit.audit_sections` fills.
"""
