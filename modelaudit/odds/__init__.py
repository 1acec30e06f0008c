"""The odds of causes, given measured statistics, as a population of networks has them."""
