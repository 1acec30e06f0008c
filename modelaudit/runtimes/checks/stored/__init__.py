"""Files with weights alone, and the weights of archives: which of them a runtime restores."""
