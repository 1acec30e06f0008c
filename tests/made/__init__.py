"""Small model files for the tests, one for each format or dialect, and damaged ones.

`files` needs no TensorFlow and is called by tests with a folder of their own. `keras_models` and
`tensorflow_models` need it; `build` runs both once a session for the fixture `made`.
"""
