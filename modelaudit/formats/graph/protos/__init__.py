"""A read-only subset of TensorFlow's and Keras's saved messages, under names of our own.

`saved_messages_pb2.py` and its `.pyi` are generated; the command stands at the head of
`saved_messages.proto`.
"""
