"""A read-only subset of TensorFlow's and Keras's saved messages, under different names.

`saved_messages_pb2.py` and its `.pyi` are generated; the command is at the top of
`saved_messages.proto`.
"""
