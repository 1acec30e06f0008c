"""Translation of saved configs between the dialects of Keras, without running any of them."""
