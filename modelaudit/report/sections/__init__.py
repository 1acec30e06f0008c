"""One module per chapter of the report: from an audit's JSON to blocks of text and tables."""
