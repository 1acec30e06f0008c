"""Which weights are still as they were drawn, what else explains that, and how far training can have moved them."""
